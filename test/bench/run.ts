import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { type BusbarProcess, hasServices, services, startDistributed } from '../support/system.js'
import { roundTrips } from './commands.js'
import { lineOf, type Measured, median, startScript, underLoad } from './measure.js'
import { registerStations, stationPassword } from './stations.js'

/**
 * `npm run bench`: reference and product alternate in one run; CPU is user + system of the measured processes per call.
 * The table is printed and kept in RESULTS.md. A goal is a ratio: absolute rates of a shared machine mean little.
 */
const { values: given } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    stations: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
    /** A folder for CPU profiles of the product's processes; figures taken with it are not comparable. */
    profile: { type: 'string', default: '' },
  },
})
if (!hasServices()) throw new Error('Name TEST_DATABASE_URL, TEST_KAFKA_BROKERS and TEST_REDIS_URL')

const load = { stations: given.stations, seconds: given.seconds, password: stationPassword, prefix: 'BENCH' }
const topic = `thin_${process.pid}`
const kafka = new Kafka({ clientId: 'bench', brokers: (services.brokers ?? '').split(','), logLevel: logLevel.NOTHING })
const admin = kafka.admin()
await admin.connect()
await admin.createTopics({ topics: [{ topic, numPartitions: 12 }] })
const database = new pg.Pool({ connectionString: services.databaseUrl ?? '' })
await database.query(`CREATE TABLE IF NOT EXISTS thin_transaction (
  id bigserial PRIMARY KEY, station text NOT NULL, message_id text NOT NULL, started_at timestamptz NOT NULL,
  UNIQUE (station, message_id))`)

const profileArgs = given.profile ? ['--cpu-prof', `--cpu-prof-dir=${given.profile}`] : []
const system = await startDistributed(
  { gateways: 1, workers: ['stations,transactions,commands', 'journal'], partitions: 12, nodeArgs: profileArgs },
  { BUSBAR_LOG_LEVEL: 'warn' },
)
await registerStations(system, Number(given.stations))

const pidOf = (process: BusbarProcess | undefined) => process?.child.pid ?? 0
const product = {
  gateway: pidOf(system.gateways[0]),
  worker: pidOf(system.workers[0]),
  journal: pidOf(system.workers[1]),
}
const productPort = system.gateways[0]?.port ?? 0

/** One measurement of the product: gateway, worker, journal. */
const measureProduct = (options: Record<string, string | number>) =>
  underLoad([product.gateway, product.worker, product.journal], { ...load, ports: productPort, ...options })

/** One measurement of a reference that is started for it. */
async function measureReference(roles: readonly string[], options: Record<string, string | number>, lingerMs = 0) {
  const children = roles.map((role) =>
    startScript('reference.ts', {
      role,
      topic,
      lingerMs,
      database: services.databaseUrl ?? '',
      brokers: services.brokers ?? '',
      redis: services.redisUrl ?? '',
    }),
  )
  const ports = await Promise.all(children.map((child) => lineOf(child, 'ready ')))
  try {
    return await underLoad(
      children.map(({ pid }) => pid ?? 0),
      { ...load, ports: ports.at(-1) ?? '', ...options },
    )
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
}

interface Row {
  id: string
  what: string
  goal: string
  measure(): Promise<{ reference: Measured; product: Measured }>
  /** The figures that the goal speaks of. */
  read(reference: Measured, product: Measured): Record<string, number>
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const gatewayUs = ({ cpuUsPerCall }: Measured) => cpuUsPerCall[0] ?? Number.NaN
const gatewayAndWorkerUs = ({ cpuUsPerCall }: Measured) => sum(cpuUsPerCall.slice(0, 2))

const rows: Row[] = [
  {
    id: 'P1',
    what: 'Heartbeat: gateway CPU, against a bare ws echo',
    goal: '<= 2.0x',
    measure: async () => ({
      reference: await measureReference(['echo'], { message: 'heartbeat' }),
      product: await measureProduct({ message: 'heartbeat' }),
    }),
    read: (reference, measured) => ({
      referenceUs: gatewayUs(reference),
      productUs: gatewayUs(measured),
      ratio: gatewayUs(measured) / gatewayUs(reference),
    }),
  },
  {
    id: 'P2+P3',
    what: 'MeterValues answered on log: gateway CPU; calls/s',
    goal: '<= 1.25x; >= 0.75x',
    measure: async () => ({
      reference: await measureReference(['thin-log'], { message: 'meter' }, 0),
      product: await measureProduct({ message: 'meter' }),
    }),
    read: (reference, measured) => ({
      referenceUs: gatewayUs(reference),
      productUs: gatewayUs(measured),
      ratio: gatewayUs(measured) / gatewayUs(reference),
      callsPerSecond: measured.callsPerSecond,
      rateRatio: measured.callsPerSecond / reference.callsPerSecond,
      journalUs: measured.cpuUsPerCall[2] ?? Number.NaN,
    }),
  },
  {
    id: 'P3b',
    what: 'the same at 300/s: CPU of gateway (thin at linger 20 ms); p50',
    goal: '<= 1.15x; <= 25 ms',
    measure: async () => ({
      reference: await measureReference(['thin-log'], { message: 'meter', rate: 300 }, 20),
      product: await measureProduct({ message: 'meter', rate: 300 }),
    }),
    read: (reference, measured) => ({
      referenceUs: gatewayUs(reference),
      productUs: gatewayUs(measured),
      ratio: gatewayUs(measured) / gatewayUs(reference),
      p50: measured.p50,
    }),
  },
  {
    id: 'P4',
    what: 'StartTransaction, all rules, committed: calls/s; gateway + worker CPU',
    goal: '>= 0.50x; <= 140 us',
    measure: async () => ({
      reference: await measureReference(['thin-worker', 'thin-commit'], { message: 'start' }),
      product: await measureProduct({ message: 'start' }),
    }),
    read: (reference, measured) => ({
      referenceUs: gatewayAndWorkerUs(reference),
      productUs: gatewayAndWorkerUs(measured),
      ratio: gatewayAndWorkerUs(measured) / gatewayAndWorkerUs(reference),
      callsPerSecond: measured.callsPerSecond,
      rateRatio: measured.callsPerSecond / reference.callsPerSecond,
      journalUs: measured.cpuUsPerCall[2] ?? Number.NaN,
    }),
  },
  {
    id: 'P5',
    what: 'StartTransaction at 500/s, open load: p50 / p99 ms',
    goal: '<= 1.6x / <= 2x',
    measure: async () => ({
      reference: await measureReference(['thin-worker', 'thin-commit'], { message: 'start', rate: 500 }),
      product: await measureProduct({ message: 'start', rate: 500 }),
    }),
    read: (reference, measured) => ({
      referenceP50: reference.p50,
      p50: measured.p50,
      p50Ratio: measured.p50 / reference.p50,
      referenceP99: reference.p99,
      p99: measured.p99,
      p99Ratio: measured.p99 / reference.p99,
      missed: measured.missed,
    }),
  },
]

const table: string[] = []
try {
  for (const row of rows.filter(({ id }) => !given.only || given.only.split(',').includes(id))) {
    const figures: Record<string, number[]> = {}
    for (let repetition = 0; repetition < Number(given.repetitions); repetition += 1) {
      const { reference, product: measured } = await row.measure()
      for (const [name, value] of Object.entries(row.read(reference, measured))) {
        const values = figures[name] ?? []
        figures[name] = [...values, value]
      }
    }
    report(row.id, row.what, row.goal, figures)
  }
  if (!given.only || given.only.split(',').includes('P12')) {
    report(
      'P12',
      'command, API to station and back, at 100/s: p50 / p99 ms',
      '<= 6 / <= 30 ms',
      await roundTrips(system),
    )
  }
} finally {
  await system.stop()
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
  await database.query('DROP TABLE thin_transaction')
  await database.end()
}

const heading = [
  '# Results of `npm run bench`',
  '',
  `${given.repetitions} alternations of reference and product, ${given.seconds} s each, ${given.stations} stations; medians (min to max). ` +
    `${cpus().length} cores, shared by product, services and load; Node ${process.versions.node}. ` +
    'CPU is user + system of our processes per call. "thin" is the thinnest pipeline without rules on the same broker; ' +
    'the journal runs in its own process and is counted apart.',
  '',
  '| goal | what | asked | measured |',
  '|---|---|---|---|',
]
if (!given.only) {
  const file = fileURLToPath(new URL('RESULTS.md', import.meta.url))
  await writeFile(file, `${[...heading, ...table].join('\n')}\n`)
}

function report(id: string, what: string, goal: string, figures: Record<string, number[]>): void {
  const measured = Object.entries(figures).map(([name, values]) => {
    const [low, high] = [Math.min(...values), Math.max(...values)]
    return `${name} **${round(median(values))}** (${round(low)}–${round(high)})`
  })
  const line = `| ${id} | ${what} | ${goal} | ${measured.join('; ')} |`
  table.push(line)
  console.log(line)
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2)
}
