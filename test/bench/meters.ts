import { randomUUID } from 'node:crypto'
import { openDistributedBackbone } from '@busbar/backbone'
import { openDatabase } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { type System, services, startDistributed, until } from '../support/system.js'
import { cpuUs } from './measure.js'
import { workerServices } from './product.js'
import { registerStations } from './stations.js'

const stations = 600
/** A session of the load model: 1.4 hours, a MeterValues a minute. */
const readingsEach = 86
const samplesEach = 4

/** Of each station, one after the other. */
const sessions = 3

/**
 * P13 and P14: puts the readings of whole sessions into the lane while no worker runs, and measures the worker that brings
 * them to committed rows; then what they take there, and in the packs that they become when their sessions are over. The
 * journal's worker does not run: its cost is told in P2.
 */
export async function measureMeters(): Promise<Record<string, number>> {
  const system = await startDistributed(
    { gateways: 0, workers: [workerServices.deciding], partitions: 12 },
    { BUSBAR_LOG_LEVEL: 'warn' },
  )
  try {
    await registerStations(system, stations)
    const lane = await openLane(system)
    await lane.append(messagesOf('start'))
    await settled(system, lane.count)
    await system.workers[0]?.stop()
    await lane.append(messagesOf('meter'))
    await system.restartWorker(0)
    const written = await measureWorker(system, lane.count)
    const fresh = await bytesOf(system, 'meter_reading')
    await lane.append(messagesOf('stop'))
    await settled(system, lane.count)
    await lane.close()
    await system.database.query(`UPDATE job SET due_at = now() WHERE kind = 'pack-readings'`)
    await until('all packed', () => isEmpty(system), 120_000)
    const packed = await bytesOf(system, 'meter_reading_pack')
    const readings = stations * sessions * readingsEach
    return { ...written, rowBytes: fresh / readings, packedBytes: packed / readings, readings }
  } finally {
    await system.stop()
  }
}

type Kind = 'start' | 'meter' | 'stop'
interface LaneRecord {
  station: string
  action: string
  payload: object
  at: Date
  transactionId: number
}

const beganAt = Date.parse('2026-03-01T10:00:00Z')
const minuteMs = 60_000

/** In the order of time, as a fleet sends them. */
function* messagesOf(kind: Kind): Generator<LaneRecord> {
  for (let session = 0; session < sessions; session += 1) {
    const minutes = {
      start: [0],
      stop: [readingsEach + 1],
      meter: Array.from({ length: readingsEach }, (_, i) => i + 1),
    }
    for (const minute of minutes[kind]) {
      for (let index = 0; index < stations; index += 1) {
        // No station's clock ticks with another's, and none of them evenly.
        const ms = ((index * 7_919 + minute * 104_729) % 1_000) - 500
        const at = new Date(beganAt + (session * (readingsEach + 10) + minute) * minuteMs + index * 50 + ms)
        const transactionId = 1 + session * stations + index
        const station = `BENCH${String(index).padStart(6, '0')}`
        yield { station, at, transactionId, ...toCall(kind, { minute, at, transactionId, noise: ms }) }
      }
    }
  }
}

function toCall(
  kind: Kind,
  { minute, at, transactionId, noise }: { minute: number; at: Date; transactionId: number; noise: number },
): Pick<LaneRecord, 'action' | 'payload'> {
  const timestamp = at.toISOString()
  const meter = 1_234_567 + minute * 184 + (noise % 7)
  if (kind === 'start') {
    return { action: 'StartTransaction', payload: { connectorId: 1, idTag: 'BENCH', meterStart: 1_234_000, timestamp } }
  }
  if (kind === 'stop') return { action: 'StopTransaction', payload: { transactionId, meterStop: meter, timestamp } }
  const sample = (measurand: string, value: string, unit: string, rest: object = {}) => ({
    ...{ value, context: 'Sample.Periodic', measurand, unit },
    ...rest,
  })
  const sampledValue = [
    sample('Energy.Active.Import.Register', String(meter), 'Wh'),
    sample('Power.Active.Import', String(11_040 + (noise % 90)), 'W'),
    sample('Current.Import', ((16_000 + (noise % 130)) / 1_000).toFixed(1), 'A', { phase: 'L1' }),
    sample('SoC', String(20 + Math.floor(minute / 2)), 'Percent'),
  ]
  return {
    action: 'MeterValues',
    payload: { connectorId: 1, transactionId, meterValue: [{ timestamp, sampledValue }] },
  }
}

/** Writes to the lane as gateways do. */
async function openLane(system: System) {
  const { brokers = '', redisUrl = '' } = services
  const url = system.database.options.connectionString ?? ''
  const database = openDatabase({ url, poolSize: 1, statementTimeoutMs: 10_000 })
  const backbone = await openDistributedBackbone({
    ...{
      database,
      partitions: 12,
      topicPrefix: system.topicPrefix,
      brokers: brokers.split(','),
      redis: { url: redisUrl },
    },
    ...{ log: pino({ level: 'silent' }), metrics: new Registry() },
  })
  const topic = backbone.topics.lane('transactions')
  const connection = randomUUID()
  let count = 0
  const append = ({ station, action, payload, at, transactionId }: LaneRecord) => {
    const messageId = randomUUID()
    const headers = {
      ...{ type: 'call', station, connection, epoch: '1', sequence: String(count), protocol: 'ocpp1.6', action },
      ...{ receivedAt: new Date(at.getTime() + 80 + (count % 60)).toISOString(), messageId, answer: 'log' },
      ...(action === 'StartTransaction' && { transactionId: String(transactionId) }),
    }
    count += 1
    return backbone.log.append({ topic, key: station, value: JSON.stringify([2, messageId, action, payload]), headers })
  }
  return {
    get count() {
      return count
    },
    async append(records: Iterable<LaneRecord>) {
      let open: Promise<void>[] = []
      for (const record of records) {
        open.push(append(record))
        if (open.length < 5_000) continue
        await Promise.all(open)
        open = []
      }
      await Promise.all(open)
    },
    async close() {
      await backbone.close()
      await database.close()
    },
  }
}

async function decided(system: System): Promise<number> {
  const { rows } = await system.database.query<{ next: string | null }>(
    `SELECT sum(next) AS next FROM consumer_offset WHERE service = 'transactions'`,
  )
  return Number(rows[0]?.next ?? 0)
}

const settled = (system: System, count: number) =>
  until('the lane read', async () => (await decided(system)) >= count, 120_000)

async function isEmpty(system: System): Promise<boolean> {
  return (await system.database.query('SELECT FROM meter_reading LIMIT 1')).rowCount === 0
}

async function measureWorker(system: System, count: number): Promise<Record<string, number>> {
  const pid = system.workers[0]?.child.pid ?? 0
  const postgresUs = async () => {
    const { rows } = await system.database.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'busbar'`,
    )
    return rows.reduce((us, backend) => us + cpuUs(backend.pid), 0)
  }
  const start = await decided(system)
  const first = await until('the worker at work', async () => {
    const now = await decided(system)
    return now > start && now
  })
  const before = { at: performance.now(), worker: cpuUs(pid), postgres: await postgresUs() }
  await settled(system, count)
  const samples = (count - first) * samplesEach
  const seconds = (performance.now() - before.at) / 1_000
  return {
    samplesPerSecond: samples / seconds,
    workerUs: (cpuUs(pid) - before.worker) / samples,
    postgresUs: ((await postgresUs()) - before.postgres) / samples,
  }
}

async function bytesOf(system: System, table: string): Promise<number> {
  const { rows } = await system.database.query<{ bytes: string }>(
    `SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class
     WHERE oid = $1::regclass OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::regclass)`,
    [table],
  )
  return Number(rows[0]?.bytes)
}
