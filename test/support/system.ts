import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs'
import pg from 'pg'
import { ApiClient } from './api-client.js'
import { BusbarProcess, freePort, ready, type Start, until } from './processes.js'

export const masterSecret = 'a secret of forty characters for the tests'

export { BusbarProcess, until } from './processes.js'

/** What a distributed system leans on. */
export interface Services {
  /** Of any database of the server; a system makes its own. */
  databaseUrl: string
  /** host:port of each, comma-separated. */
  brokers: string
  redisUrl: string
  /** How often Kafka keeps each record. */
  replication?: number
  /** How its brokers know us, where they ask. */
  kafkaAccess?: Pick<KafkaConfig, 'ssl' | 'sasl'>
  /** Where one process of the system finds them, if that differs from the others. */
  environmentOf?(processName: string, databaseName: string): Promise<Record<string, string>>
}

/** Those that the environment names, '' where it names none. */
export const services: Services = {
  databaseUrl: process.env.TEST_DATABASE_URL ?? '',
  brokers: process.env.TEST_KAFKA_BROKERS ?? '',
  redisUrl: process.env.TEST_REDIS_URL ?? '',
}

/** Whether the real services are named. @throws where they are required (CI) and one is missing */
export function hasServices(): boolean {
  const missing = Object.entries(services).filter(([, value]) => value === '')
  if (missing.length > 0 && process.env.REQUIRE_SERVICES === '1') {
    throw new Error(`Required but not named in the environment: ${missing.map(([name]) => name).join(', ')}`)
  }
  return missing.length === 0
}

export interface System {
  gateways: BusbarProcess[]
  workers: BusbarProcess[]
  api: ApiClient
  apiProcess: BusbarProcess
  /** Up to the station id, one a gateway. */
  urls: string[]
  /** The same over TLS; empty where no server certificates are named. */
  secureUrls: string[]
  database: pg.Pool
  topicPrefix: string
  /** host:port of each Kafka broker; empty where the log is in Postgres. */
  brokers: string[]
  masterSecret: string
  /** Starts one more (or the killed one again) on the same port. */
  restartGateway(index: number): Promise<void>
  restartWorker(index: number): Promise<void>
  restartApi(): Promise<void>
  /** By `busbar keys create`, so that another person is behind it. */
  createKey(name: string, role: string): Promise<ApiClient>
  folder: string
  /** What all its processes have logged until now. */
  logs(): Promise<string>
  stop(): Promise<void>
}

/** For each gateway that takes stations over TLS: a port of its own. */
async function tlsPortOf(env: Record<string, string>): Promise<Record<string, string>> {
  return env.BUSBAR_GATEWAY_TLS_CERTIFICATES ? { BUSBAR_GATEWAY_TLS_PORT: String(await freePort()) } : {}
}

const secureUrlOf = ({ tlsPort }: BusbarProcess) => (tlsPort === null ? [] : [`wss://127.0.0.1:${tlsPort}/ocpp`])

async function readLogs(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log'))
  return (await Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8')))).join('\n')
}

/** Runs a command of the binary that ends by itself. @returns what it printed */
async function runCommand(
  args: string[],
  environment: Record<string, string>,
  folder: string,
  start: Start = {},
): Promise<string> {
  const output = path.join(folder, `${args.join('-')}.out`)
  const process = new BusbarProcess(args[0] ?? '', args, environment, 0, output, start)
  const code = await process.exited
  const text = await readFile(output, 'utf8')
  if (code !== 0) throw new Error(`busbar ${args.join(' ')} exited with ${code}:\n${text}`)
  return text
}

const findKey = (printed: string) => /^key\s+(\S+)$/m.exec(printed)?.[1] ?? ''

/** `busbar up` in a data folder of its own; nothing outside it is used. */
export async function startEmbedded(env: Record<string, string> = {}): Promise<System> {
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-system-'))
  const [gatewayPort, apiPort, postgresPort] = [await freePort(), await freePort(), await freePort()]
  const logFile = path.join(folder, 'up.log')
  const environment = {
    BUSBAR_DATA_DIR: path.join(folder, 'data'),
    BUSBAR_HOST: '127.0.0.1',
    BUSBAR_GATEWAY_PORT: String(gatewayPort),
    BUSBAR_API_PORT: String(apiPort),
    BUSBAR_EMBEDDED_POSTGRES_PORT: String(postgresPort),
    BUSBAR_PARTITIONS: '4',
    BUSBAR_SECRET: masterSecret,
    ...(await tlsPortOf(env)),
    ...env,
  }
  const open = async () => {
    const up = new BusbarProcess('up', ['up'], environment, gatewayPort, logFile)
    await ready(up, apiPort, logFile)
    return up
  }
  let up = await open()
  const key = await until('first API key', () =>
    readFile(path.join(folder, 'data', 'first-api-key'), 'utf8').catch(() => null),
  )
  const password = await readFile(path.join(folder, 'data', 'postgres', 'password'), 'utf8')
  const database = new pg.Pool({
    host: '127.0.0.1',
    port: postgresPort,
    user: 'busbar',
    password,
    database: 'postgres',
    max: 4,
  })
  database.on('error', () => {})
  const processes = [up]
  const restart = async () => {
    up = await open()
    processes[0] = up
  }
  const url = `http://127.0.0.1:${apiPort}`
  return {
    gateways: processes,
    workers: processes,
    get apiProcess() {
      return up
    },
    api: new ApiClient(url, key),
    urls: [`ws://127.0.0.1:${gatewayPort}/ocpp`],
    secureUrls: secureUrlOf(up),
    database,
    topicPrefix: 'busbar',
    brokers: [],
    masterSecret,
    restartGateway: restart,
    restartWorker: restart,
    restartApi: restart,
    createKey: async (name, role) =>
      new ApiClient(url, findKey(await runCommand(['keys', 'create', name, '--role', role], environment, folder))),
    folder,
    logs: () => readLogs(folder),
    async stop() {
      await database.end()
      await up.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What earlier systems left behind costs a broker memory and time in every later test. */
async function dropTopics({ brokers, kafkaAccess }: Services, prefix: string): Promise<void> {
  const kafka = new Kafka({
    ...kafkaAccess,
    clientId: 'tests',
    brokers: brokers.split(','),
    logLevel: logLevel.NOTHING,
  })
  const admin = kafka.admin()
  await admin.connect()
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${prefix}.`))
    await admin.deleteTopics({ topics })
  } finally {
    await admin.disconnect()
  }
}

/** Every service, for a worker that is not to be special. */
export const allServices = 'stations,transactions,smart-charging,reservations,commands,notifications,journal'

/**
 * Gateways, workers and an API as processes of their own, on real services. A worker is named by its services,
 * comma-separated.
 */
export async function startDistributed(
  size: { gateways: number; workers: readonly string[]; partitions?: number } & Start,
  env: Record<string, string> = {},
  on: Services = services,
): Promise<System> {
  const { databaseUrl, brokers, redisUrl, replication = 1 } = on
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-system-'))
  const name = `test_${randomBytes(6).toString('hex')}`
  await onServer(databaseUrl, `CREATE DATABASE ${name}`)
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  const environment = {
    BUSBAR_DATABASE_URL: url.toString(),
    BUSBAR_KAFKA_BROKERS: brokers,
    BUSBAR_REDIS_URL: redisUrl,
    BUSBAR_TOPIC_PREFIX: name,
    BUSBAR_PARTITIONS: String(size.partitions ?? 12),
    BUSBAR_REPLICATION: String(replication),
    BUSBAR_SECRET: masterSecret,
    BUSBAR_HOST: '127.0.0.1',
    BUSBAR_LOG_LEVEL: 'info',
    BUSBAR_DATABASE_POOL: '8',
    BUSBAR_DEV_SERVICES: 'true',
    ...env,
  }
  const environmentOf = async (processName: string) => ({
    ...environment,
    ...(await on.environmentOf?.(processName, name)),
  })
  const others: Start = size.as ? { as: size.as } : {}
  const command = (...args: string[]) => runCommand(args, environment, folder, others)
  await command('migrate')

  const gatewayPorts = await Promise.all(
    Array.from({ length: size.gateways }, async () => ({ port: await freePort(), tls: await tlsPortOf(env) })),
  )
  const startGateway = async (index: number) => {
    const { port, tls } = gatewayPorts[index] ?? { port: 0, tls: {} }
    const healthPort = await freePort()
    const logFile = path.join(folder, `gateway-${index}.log`)
    const process = new BusbarProcess(
      `gateway ${index}`,
      ['gateway'],
      {
        ...(await environmentOf(`gateway ${index}`)),
        ...tls,
        BUSBAR_GATEWAY_PORT: String(port),
        BUSBAR_HEALTH_PORT: String(healthPort),
      },
      port,
      logFile,
      size,
    )
    await ready(process, healthPort, logFile)
    return process
  }
  const startWorker = async (index: number) => {
    const healthPort = await freePort()
    const logFile = path.join(folder, `worker-${index}.log`)
    const process = new BusbarProcess(
      `worker ${index}`,
      ['worker', '--services', size.workers[index] ?? allServices],
      { ...(await environmentOf(`worker ${index}`)), BUSBAR_HEALTH_PORT: String(healthPort) },
      healthPort,
      logFile,
      size,
    )
    await ready(process, healthPort, logFile)
    return process
  }
  const apiPort = await freePort()
  const apiUrl = `http://127.0.0.1:${apiPort}`
  const apiLog = path.join(folder, 'api.log')
  const startApi = async () => {
    const process = new BusbarProcess(
      'api',
      ['api'],
      { ...(await environmentOf('api')), BUSBAR_API_PORT: String(apiPort) },
      apiPort,
      apiLog,
      size,
    )
    await ready(process, apiPort, apiLog)
    return process
  }
  const [gateways, workers, firstApi, keyLines] = await Promise.all([
    Promise.all(gatewayPorts.map((_, index) => startGateway(index))),
    Promise.all(size.workers.map((_, index) => startWorker(index))),
    startApi(),
    command('keys', 'create', 'test'),
  ])
  let apiProcess = firstApi
  const database = new pg.Pool({ connectionString: url.toString(), max: 4 })
  database.on('error', () => {})
  return {
    gateways,
    workers,
    get apiProcess() {
      return apiProcess
    },
    api: new ApiClient(apiUrl, findKey(keyLines)),
    urls: gateways.map(({ port }) => `ws://127.0.0.1:${port}/ocpp`),
    secureUrls: gateways.flatMap(secureUrlOf),
    database,
    topicPrefix: name,
    brokers: brokers.split(','),
    masterSecret,
    async restartGateway(index) {
      gateways[index] = await startGateway(index)
    },
    async restartWorker(index) {
      workers[index] = await startWorker(index)
    },
    async restartApi() {
      apiProcess = await startApi()
    },
    createKey: async (name, role) =>
      new ApiClient(apiUrl, findKey(await command('keys', 'create', name, '--role', role))),
    folder,
    logs: () => readLogs(folder),
    async stop() {
      await database.end()
      await Promise.all([...gateways, ...workers, apiProcess].map((process) => process.stop()))
      await onServer(databaseUrl, `DROP DATABASE ${name} WITH (FORCE)`)
      await dropTopics(on, name)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function onServer(databaseUrl: string, text: string): Promise<void> {
  const admin = new pg.Client(databaseUrl)
  await admin.connect()
  await admin.query(text).finally(() => admin.end())
}
