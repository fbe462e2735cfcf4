import { createTestDatabase, type Database, type TestDatabase } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { until } from '../contract/sides.js'
import { type Backbone, countUnreadEmbeddedRecords, openEmbeddedBackbone } from '../index.js'
import { deleteOldRecords } from './retention.js'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

let db: TestDatabase
let database: Database
let backbone: Backbone
const log = pino({ level: 'silent' })
const open = (partitions = 3) =>
  openEmbeddedBackbone({ database, partitions, topicPrefix: 'test', log, metrics: new Registry() })

beforeAll(async () => {
  db = await createTestDatabase()
  database = db.database
}, 30_000)
afterAll(() => db.drop())
beforeEach(async () => {
  backbone = await open()
})
afterEach(async () => {
  await backbone.close()
  await database.query({ text: 'TRUNCATE log_partition, log_record, consumer_offset, station_state', values: [] })
})

const append = (value: string, key = 'CP1') =>
  backbone.log.append({ topic: backbone.topics.lane('stations'), key, value, headers: {} })

async function consume(topics = [backbone.topics.lane('stations')]) {
  const values: string[] = []
  const consumer = await backbone.log.consume({
    service: 'stations',
    topics,
    onBatch: async (batch) => {
      await database.commit([batch.advance])
      values.push(...batch.records.map((record) => record.value.toString()))
    },
  })
  return { values, stop: consumer.stop }
}

test('a second process on the same database is refused', async () => {
  await expect(open()).rejects.toThrow('another Busbar process')
})

test('the next process starts where the last one ended', async () => {
  await append('one')
  await backbone.close()
  backbone = await open()
  await append('two')
  const { values, stop } = await consume()
  await until(() => values.length === 2)
  await stop()

  expect(values).toEqual(['one', 'two'])
})

test('a lock that was lost is claimed again', async () => {
  const holders = () =>
    database.query<{ pid: number }>({
      text: `SELECT pid FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      values: [],
    })
  const [before] = await holders()
  await database.query({ text: 'SELECT pg_terminate_backend($1)', values: [before?.pid] })
  await until(async () => {
    const [now] = await holders()
    return now !== undefined && now.pid !== before?.pid
  }, 'the lock')
  await append('after')

  await expect(open()).rejects.toThrow('another Busbar process')
})

test('another number of partitions refuses the start', async () => {
  await backbone.close()
  await expect(open(4)).rejects.toThrow('every topic must have 4 partitions (BUSBAR_PARTITIONS)')
  backbone = await open()
})

test('unread records are counted until their service has applied them', async () => {
  const first = await consume()
  await first.stop()
  expect(await countUnreadEmbeddedRecords(database)).toBe(0)
  await append('one')
  await append('two', 'CP2')
  expect(await countUnreadEmbeddedRecords(database)).toBe(2)

  const second = await consume()
  await until(() => second.values.length === 2)
  await second.stop()

  expect(await countUnreadEmbeddedRecords(database)).toBe(0)
})

test('retention deletes what is old and read, and keeps the rest', async () => {
  const { values, stop } = await consume()
  await append('read')
  await until(() => values.length === 1)
  await stop()
  await append('unread')
  await backbone.log.append({ topic: backbone.topics.events, key: 'CP1', value: 'nobody reads it', headers: {} })

  expect(await deleteOldRecords(database, 1)).toBe(0)
  await database.query({ text: "UPDATE log_record SET appended_at = now() - interval '2 hours'", values: [] })
  expect(await deleteOldRecords(database, 1, 1)).toBe(1)
  await deleteOldRecords(database, 1)

  const left = await database.query<{ value: Buffer }>({ text: 'SELECT value FROM log_record', values: [] })
  expect(left.map((row) => row.value.toString())).toEqual(['unread'])
})

test('a reader is woken by an append, not by its poll', async () => {
  const { values, stop } = await consume()
  await append('warm')
  await until(() => values.length === 1)
  const startedAt = performance.now()
  for (let i = 0; i < 20; i++) {
    await append(String(i))
    await until(() => values.length === i + 2)
  }
  await stop()

  expect(performance.now() - startedAt).toBeLessThan(3000)
})

test('a backlog larger than one read is read in order and in full', async () => {
  const value = 'x'.repeat(100_000)
  await Promise.all(Array.from({ length: 300 }, (_, i) => append(`${i}/${value}`)))
  const { values, stop } = await consume()
  await until(() => values.length === 300)
  await stop()

  expect(values.map((each) => Number.parseInt(each, 10))).toEqual(Array.from({ length: 300 }, (_, i) => i))
})

test('stations that a killed process left connected are handed out as lapsed, once', async () => {
  const epoch = BigInt(Date.now() - 60_000) * 1000n
  await database.query({
    text: `INSERT INTO station_state (station_id, online, gateway_id, connection_id, epoch) VALUES
      ('CP1', true, 'old', 'c1', $1), ('CP2', false, 'old', 'c2', $1), ('CP3', true, 'old', 'c3', $1)`,
    values: [epoch],
  })
  const [lapsed, ...others] = await backbone.ownership.takeLapsed()

  expect(others).toEqual([])
  expect(lapsed?.gatewayId).toBe('old')
  expect(lapsed?.stations.sort((a, b) => a.stationId.localeCompare(b.stationId))).toEqual([
    { stationId: 'CP1', connectionId: 'c1', epoch: Number(epoch) },
    { stationId: 'CP3', connectionId: 'c3', epoch: Number(epoch) },
  ])
  await backbone.ownership.releaseGateway('old')
  expect(await backbone.ownership.takeLapsed()).toEqual([])
})
