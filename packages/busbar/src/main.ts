import { type Link, parseAnchor } from '@busbar/api'
import { createTopics, type ServiceName, serviceNames } from '@busbar/backbone'
import { EmbeddedPostgresError, migrate, UnavailableError } from '@busbar/store'
import { Command, InvalidArgumentError } from 'commander'
import type { Logger } from 'pino'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { verifyAuditLog } from './audit.js'
import { ConfigError, describeConfig, parseConfig } from './config.js'
import { startDemo } from './demo.js'
import { drainEmbeddedLog } from './drain.js'
import { createKey, listKeys, revokeKey } from './keys.js'
import { openLog } from './log.js'
import { openPlatform, type Platform } from './platform.js'
import { type Need, type Running, startApiRole, startGatewayRole, startHealthRole, startWorkerRole } from './roles.js'
import { readAddresses, refuseUnsafeServices } from './services.js'
import { runSimulation } from './simulation.js'
import { stopAll } from './stopping.js'
import { printWelcome } from './up.js'

const program = new Command('busbar').description('Charging station management system for large fleets')

program
  .command('up', { isDefault: true })
  .description('all roles in one process; embedded unless BUSBAR_* name services')
  .option('--dev', 'admit unknown stations and stations without credentials')
  .option('--demo', 'with 20 virtual stations that charge')
  .option('--drain', 'only read the embedded log to its end, before a start on Kafka')
  .action(async ({ dev, demo, drain }: { dev?: true; demo?: true; drain?: true }) => {
    const startedAt = Date.now()
    const config = parseConfig({ ...process.env, ...(dev ? { BUSBAR_DEV: 'true' } : {}) })
    if (drain) return drainEmbeddedLog(config)
    await run(async (log, metrics) => {
      const platform = await openPlatform(config, log, metrics)
      return start(platform, async (running) => {
        running.push(...(await startWorkerRole(platform, serviceNames)))
        const gateway = await startGatewayRole(platform)
        running.push(gateway)
        const api = await startApiRole(platform, [gateway])
        running.push(api)
        const key = await printWelcome(platform, { gateway, api, startedAt })
        if (demo) running.push(await startDemo({ gatewayPort: gateway.port, apiPort: api.port, apiKey: key }))
      })
    }, config.values.LOG_LEVEL)
  })

role('gateway', 'stations connect here', async (platform) =>
  withHealth(platform, [await startGatewayRole(platform)], ['log']),
)

role('api', 'REST, live events and documentation', async (platform) => [await startApiRole(platform)])

program
  .command('worker')
  .description('decides and stores')
  .option('--services <names>', `comma-separated: ${serviceNames.join(', ')}`, parseServices, [...serviceNames])
  .action(({ services }: { services: ServiceName[] }) =>
    runRole(async (platform) => withHealth(platform, await startWorkerRole(platform, services), ['postgres', 'log'])),
  )

program
  .command('migrate')
  .description('bring the database and the Kafka topics to this version')
  .action(async () => {
    const config = parseConfig(process.env)
    const log = openLog(config.values.LOG_LEVEL)
    const { setUp, values } = config
    if (setUp.kind === 'embedded')
      throw new ConfigError(['BUSBAR_DATABASE_URL: needed; an embedded start migrates itself'])
    const { applied } = await migrate(setUp.databaseUrl, log)
    console.log(applied.length > 0 ? `applied: ${applied.join(', ')}` : 'the database is up to date')
    if (setUp.kind !== 'distributed') return refuseUnsafeServices(config, log)
    const { kafka } = await readAddresses(config, setUp)
    await createTopics({
      ...kafka,
      prefix: values.TOPIC_PREFIX,
      partitions: values.PARTITIONS,
      replication: values.REPLICATION,
    })
    console.log(`topics ${values.TOPIC_PREFIX}.*: ${values.PARTITIONS} partitions each`)
    await refuseUnsafeServices(config, log)
  })

program
  .command('simulate')
  .description('virtual stations against a running Busbar')
  .requiredOption('--stations <n>', 'how many', parseCount)
  .option('--version <version>', '1.6, 2.0.1 or mixed', 'mixed')
  .option('--scenario <name>', 'charge or idle', 'charge')
  .option('--url <urls>', 'gateways, comma-separated, up to the station id', 'ws://localhost:9000/ocpp')
  .option('--prefix <text>', 'of the station ids', 'SIM')
  .option('--password <text>', 'shared by all; without it the gateway must run with --dev')
  .option('--token <id>', 'token they charge with', 'DEMO')
  .option('--seconds <n>', 'how long; without it until Ctrl-C', parseCount)
  .action(runSimulation)

const keys = program.command('keys').description('API keys')
keys
  .command('create <name>')
  .description('prints a new key once')
  .option('--role <role>', 'viewer, operator, admin or auditor', 'admin')
  .option('--owner <text>', 'who is behind it: one name for all keys of a person, oidc:<subject> for one with tokens')
  .action((name: string, options: { role: string; owner?: string }) =>
    createKey(parseConfig(process.env), name, options),
  )
keys.command('list').action(() => listKeys(parseConfig(process.env)))
keys.command('revoke <id>').action((id: string) => revokeKey(parseConfig(process.env), id))

program
  .command('audit')
  .description('the audit log')
  .command('verify')
  .description('whether entries were removed or changed; exit code 1 if so')
  .option(
    '--anchor <text>',
    'a head noted earlier, position:hash: shows a chain that was made anew while no API process ran',
    parseAnchorOption,
  )
  .action(async ({ anchor }: { anchor?: Link }) => {
    if (!(await verifyAuditLog(parseConfig(process.env), anchor ?? null))) process.exitCode = 1
  })

program
  .command('config')
  .description('the effective configuration, secrets hidden')
  .action(() => console.log(describeConfig(parseConfig(process.env))))

await program.parseAsync().catch((cause: unknown) => {
  const tellsAll = [ConfigError, EmbeddedPostgresError, UnavailableError].some((kind) => cause instanceof kind)
  console.error(tellsAll && cause instanceof Error ? cause.message : cause)
  // What was begun may hold the process, such as a client that goes on trying to connect.
  process.exit(1)
})

function role(name: string, description: string, startParts: (platform: Platform) => Promise<Running[]>): void {
  program
    .command(name)
    .description(description)
    .action(() => runRole(startParts))
}

/** Health starts last, so that a process that answers there has all its parts, and stops first. */
async function withHealth(platform: Platform, parts: Running[], needs: readonly Need[]): Promise<Running[]> {
  return [...parts, await startHealthRole(platform, parts, needs)]
}

/** A role on a machine of its own leans on services that other machines reach too. */
async function runRole(startParts: (platform: Platform) => Promise<Running[]>): Promise<void> {
  const config = parseConfig(process.env)
  if (config.setUp.kind !== 'distributed') {
    throw new ConfigError(['BUSBAR_DATABASE_URL, BUSBAR_KAFKA_BROKERS, BUSBAR_REDIS_URL: needed by a single role'])
  }
  await run(async (log, metrics) => {
    const platform = await openPlatform(config, log, metrics)
    return start(platform, async (running) => {
      const parts = await startParts(platform)
      running.push(...parts)
      log.info({ parts: parts.map(({ name, port }) => ({ name, port })) }, 'running')
    })
  }, config.values.LOG_LEVEL)
}

/** Starts parts; if one fails, those that run already are stopped before the failure is told. */
async function start(platform: Platform, startParts: (running: Running[]) => Promise<void>) {
  const running: Running[] = []
  const stop = () => stopAll(running, platform)
  try {
    await startParts(running)
  } catch (cause) {
    await stop()
    throw cause
  }
  return stop
}

/** Runs until SIGINT or SIGTERM, then stops everything in order; a second signal ends it at once. */
async function run(
  open: (log: Logger, metrics: Registry) => Promise<() => Promise<boolean>>,
  level: string,
): Promise<void> {
  const log = openLog(level)
  const metrics = new Registry()
  collectDefaultMetrics({ register: metrics })
  const signal = new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        process.once(name, () => process.exit(1))
        resolve(name)
      })
    }
  })
  const stop = await open(log, metrics)
  log.info({ signal: await signal }, 'stopping')
  process.exit((await stop()) ? 0 : 1)
}

function parseServices(text: string): ServiceName[] {
  const names = text.split(',')
  const unknown = names.filter((name) => !(serviceNames as readonly string[]).includes(name))
  if (unknown.length > 0) throw new InvalidArgumentError(`no such service: ${unknown.join(', ')}`)
  return names as ServiceName[]
}

function parseAnchorOption(text: string): Link {
  const anchor = parseAnchor(text)
  if (!anchor) throw new InvalidArgumentError('a position, a colon and a hash of 64 hex digits')
  return anchor
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('a whole number above 0')
  return count
}
