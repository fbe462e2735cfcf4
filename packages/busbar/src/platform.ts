import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Backbone, openDistributedBackbone, openEmbeddedBackbone } from '@busbar/backbone'
import { type Database, findEmbeddedPostgres, migrate, openDatabase, startEmbeddedPostgres, Vault } from '@busbar/store'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { type Config, ConfigError } from './config.js'
import { openLog } from './log.js'
import { showDatabase } from './metrics.js'
import { readAddresses, refuseUnsafeServices, toRefusal } from './services.js'

/** What is kept, and what it is sealed with. */
export interface Storage {
  database: Database
  vault: Vault
  close(): Promise<void>
}

/** What every role stands on, opened once per process. */
export interface Platform extends Storage {
  config: Config
  backbone: Backbone
  log: Logger
  metrics: Registry
}

/**
 * Opens the set-up that the configuration describes. Embedded set-ups are migrated on the way; a distributed one is
 * migrated by `busbar migrate`, because many processes start at once there.
 */
export async function openPlatform(config: Config, log: Logger, metrics: Registry): Promise<Platform> {
  const storage = await openStorage(config, () => openPostgres(config, log))
  const { database } = storage
  showDatabase(metrics, database)
  try {
    const backbone = await openBackbone(config, { database, log, metrics })
    await refuseUnsafeServices(config, log).catch(async (cause: unknown) => {
      await backbone.close()
      throw cause
    })
    return {
      ...storage,
      config,
      backbone,
      log,
      metrics,
      async close() {
        await backbone.close()
        await storage.close()
      },
    }
  } catch (cause) {
    await storage.close()
    throw toRefusal(cause)
  }
}

/**
 * For commands that do one thing and end. They take no part in the log: where a Busbar runs embedded, they work on its
 * Postgres, beside it.
 */
export async function withStorage<T>(config: Config, work: (storage: Storage) => Promise<T>): Promise<T> {
  const log = openLog('warn')
  const storage = await openStorage(config, async () => {
    const running = config.setUp.kind === 'embedded' ? await findEmbeddedPostgres(postgresFolder(config)) : null
    return running === null ? openPostgres(config, log) : leaveRunning(running)
  })
  try {
    await refuseUnsafeServices(config, log)
    return await work(storage)
  } catch (cause) {
    throw toRefusal(cause)
  } finally {
    await storage.close()
  }
}

interface Postgres {
  url: string
  stop(): Promise<void>
}

async function openStorage(config: Config, open: () => Promise<Postgres>) {
  const { DATABASE_POOL: poolSize, DATABASE_STATEMENT_TIMEOUT_MS: statementTimeoutMs } = config.values
  const vault = new Vault(await readMasterSecret(config))
  const postgres = await open()
  const database = openDatabase({ url: postgres.url, poolSize, statementTimeoutMs })
  return {
    database,
    vault,
    async close() {
      await database.close()
      await postgres.stop()
    },
  }
}

const leaveRunning = (url: string): Postgres => ({ url, stop: async () => {} })
const postgresFolder = ({ values }: Config) => path.join(values.DATA_DIR, 'postgres')

async function openPostgres(config: Config, log: Logger): Promise<Postgres> {
  const { setUp, values } = config
  if (setUp.kind === 'distributed') return leaveRunning(setUp.databaseUrl)
  const postgres =
    setUp.kind === 'embedded'
      ? await startEmbeddedPostgres({ dataDir: postgresFolder(config), port: values.EMBEDDED_POSTGRES_PORT }, log)
      : leaveRunning(setUp.databaseUrl)
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
