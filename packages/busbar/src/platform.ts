import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Backbone, openDistributedBackbone, openEmbeddedBackbone } from '@busbar/backbone'
import { type Database, migrate, openDatabase, startEmbeddedPostgres, Vault } from '@busbar/store'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { type Config, ConfigError } from './config.js'
import { showDatabase } from './metrics.js'
import { readAddresses, refuseUnsafeServices, toRefusal } from './services.js'

/** What every role stands on, opened once per process. */
export interface Platform {
  config: Config
  database: Database
  backbone: Backbone
  vault: Vault
  log: Logger
  metrics: Registry
  close(): Promise<void>
}

/**
 * Opens the set-up that the configuration describes. Embedded set-ups are migrated on the way; a distributed one is
 * migrated by `busbar migrate`, because many processes start at once there.
 */
export async function openPlatform(config: Config, log: Logger, metrics: Registry): Promise<Platform> {
  const { values } = config
  const vault = new Vault(await readMasterSecret(config))
  const postgres = await openPostgres(config, log)
  const database = openDatabase({
    url: postgres.url,
    poolSize: values.DATABASE_POOL,
    statementTimeoutMs: values.DATABASE_STATEMENT_TIMEOUT_MS,
  })
  showDatabase(metrics, database)
  try {
    const backbone = await openBackbone(config, { database, log, metrics })
    await refuseUnsafeServices(config, log).catch(async (cause: unknown) => {
      await backbone.close()
      throw cause
    })
    return {
      config,
      database,
      backbone,
      vault,
      log,
      metrics,
      async close() {
        await backbone.close()
        await database.close()
        await postgres.stop()
      },
    }
  } catch (cause) {
    await database.close()
    await postgres.stop()
    throw toRefusal(cause)
  }
}

async function openPostgres({ setUp, values }: Config, log: Logger): Promise<{ url: string; stop(): Promise<void> }> {
  if (setUp.kind === 'distributed') return { url: setUp.databaseUrl, stop: async () => {} }
  const postgres =
    setUp.kind === 'embedded'
      ? await startEmbeddedPostgres(
          { dataDir: path.join(values.DATA_DIR, 'postgres'), port: values.EMBEDDED_POSTGRES_PORT },
          log,
        )
      : { url: setUp.databaseUrl, stop: async () => {} }
  try {
    await migrate(postgres.url, log)
    return postgres
  } catch (cause) {
    await postgres.stop()
    throw cause
  }
}

async function openBackbone(config: Config, deps: { database: Database; log: Logger; metrics: Registry }) {
  const { setUp, values } = config
  const shared = { ...deps, topicPrefix: values.TOPIC_PREFIX, partitions: values.PARTITIONS }
  if (setUp.kind !== 'distributed') return openEmbeddedBackbone(shared)
  const { kafka, redis } = await readAddresses(config, setUp)
  return openDistributedBackbone({ ...shared, ...kafka, redis })
}

/**
 * The secret that all keys are derived from: given, or made once and kept in the data folder of an embedded set-up.
 * @throws ConfigError in a distributed set-up without one, because its processes must share it
 */
async function readMasterSecret({ setUp, values }: Config): Promise<string> {
  if (values.SECRET) return values.SECRET
  if (setUp.kind === 'distributed') throw new ConfigError(['BUSBAR_SECRET: needed, the same for every process'])
  return readOrMake(values.DATA_DIR, 'secret', () => randomBytes(32).toString('hex'))
}

/** A small private file of the data folder, made at the first call. */
export async function readOrMake(folder: string, name: string, make: () => Promise<string> | string): Promise<string> {
  const file = path.join(folder, name)
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
  }
  const text = await make()
  await mkdir(folder, { recursive: true })
  await writeFile(file, text, { mode: 0o600 })
  return text
}
