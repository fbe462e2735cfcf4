import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Session } from './database.js'
import { ensurePartitions } from './partitions.js'
import { insertInto } from './rows.js'
import { createTestDatabase, type TestDatabase } from './testing.js'

let store: TestDatabase
beforeEach(async () => {
  store = await createTestDatabase()
})
afterEach(() => store.drop())

const insertReadings = insertInto('meter_reading', {
  sampledAt: 'timestamptz',
  receivedAt: 'timestamptz',
  stationId: 'text',
  reading: 'bytea',
})
const insertFrames = insertInto('journal_frame', {
  at: 'timestamptz',
  stationId: 'text',
  connectionId: 'text',
  direction: 'text',
  sequence: 'int8',
  protocol: 'text',
  kind: 'text',
  frame: 'bytea',
})
const reading = (sampledAt: string, receivedAt = sampledAt) => ({
  sampledAt: new Date(sampledAt),
  receivedAt: new Date(receivedAt),
  stationId: 'CS-1',
  reading: Buffer.of(1, 1, 1, 0),
})
const frame = (at: string) => ({
  at: new Date(at),
  stationId: 'CS-1',
  connectionId: 'c',
  direction: 'in',
  sequence: 1n,
  protocol: 'ocpp1.6',
  kind: 'call',
  frame: Buffer.from('[2]'),
})
const keepAll = { meterReadingDays: null, journalDays: 100_000 }
/** Which partition holds the rows, in order of the key. */
const places = async (table: string, key: string) =>
  (
    await store.database.query<{ place: string }>({
      text: `SELECT tableoid::regclass::text AS place FROM ${table} ORDER BY ${key}`,
      values: [],
    })
  ).map(({ place }) => place)
const waitingForLocks = async () =>
  (
    await store.database.query({
      text: `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      values: [],
    })
  ).length
const partitions = async (table: string) =>
  (
    await store.database.query<{ name: string }>({
      text: `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass ORDER BY 1`,
      values: [table],
    })
  ).map(({ name }) => name)

test('readings of a month and frames of a day have a partition; wrong clocks go to the default one', async () => {
  await ensurePartitions(store.database, new Date('2031-12-31T23:59:00Z'), keepAll)

  await store.database.commit([
    insertReadings(['1970-01-01', '2031-11-02', '2032-02-29', '2099-01-01'].map((day) => reading(`${day}T00:00:00Z`))),
    insertFrames(['2031-12-30T00:00:00Z', '2032-01-07T23:59:59Z', '2032-01-08T00:00:00Z'].map(frame)),
  ])

  expect(await places('meter_reading', 'sampled_at')).toEqual([
    'meter_reading_default',
    'meter_reading_203111',
    'meter_reading_203202',
    'meter_reading_default',
  ])
  expect(await places('journal_frame', 'at')).toEqual([
    'journal_frame_20311230',
    'journal_frame_20320107',
    'journal_frame_default',
  ])
})

test('rows that came before their partition are moved into it', async () => {
  await store.database.commit([
    insertReadings(['2031-05-01T00:00:00Z', '2031-09-01T00:00:00Z'].map((at) => reading(at))),
  ])

  await ensurePartitions(store.database, new Date('2031-05-15T00:00:00Z'), keepAll)

  expect(await places('meter_reading', 'sampled_at')).toEqual(['meter_reading_203105', 'meter_reading_default'])
})

test('only ranges that are wholly older than the retention are dropped, and old rows of the default one', async () => {
  await ensurePartitions(store.database, new Date('2031-03-10T00:00:00Z'), keepAll)
  await store.database.commit([
    insertReadings([
      reading('1970-01-01T00:00:00Z', '2031-03-10T00:00:00Z'),
      reading('1970-01-02T00:00:00Z', '2031-06-10T00:00:00Z'),
    ]),
  ])

  await ensurePartitions(store.database, new Date('2031-06-15T00:00:00Z'), { meterReadingDays: 60, journalDays: 2 })

  expect((await partitions('meter_reading')).slice(0, 2)).toEqual(['meter_reading_203104', 'meter_reading_203105'])
  expect((await partitions('journal_frame')).slice(0, 2)).toEqual(['journal_frame_20310614', 'journal_frame_20310615'])
  expect(await places('meter_reading', 'sampled_at')).toEqual(['meter_reading_default'])
})

test('may run in several processes at once', async () => {
  const now = new Date('2031-03-10T00:00:00Z')

  await Promise.all([1, 2, 3].map(() => ensurePartitions(store.database, now, keepAll)))

  expect(await partitions('meter_reading')).toContain('meter_reading_203103')
})

test('a row written while its partition is made waits for it', async () => {
  // The month before is made first.
  const at = '2031-04-12T00:00:00.000Z'
  const run = (session: Session, text: string) => session.query({ text, values: [] })

  await store.database.session(async (reader) => {
    await run(reader, 'BEGIN')
    await run(reader, 'SELECT 1 FROM meter_reading_default')
    const made = ensurePartitions(store.database, new Date('2031-05-12T00:00:00Z'), keepAll)
    await expect.poll(waitingForLocks).toBe(1)
    const written = store.database.commit([insertReadings([reading(at)])])
    await expect.poll(waitingForLocks).toBe(2)
    await run(reader, 'COMMIT')
    await Promise.all([made, written])
  })

  expect(await places('meter_reading', 'sampled_at')).toEqual(['meter_reading_203104'])
})

test('many writers at once lose no row while partitions are made', async () => {
  const days = Array.from({ length: 100 }, (_, index) => new Date(Date.UTC(2031, 4, 1) + index * 86_400_000))
  const writes = days.map((at) => store.database.commit([insertReadings([reading(at.toISOString())])]))

  await Promise.all([...writes, ensurePartitions(store.database, new Date('2031-06-15T00:00:00Z'), keepAll)])

  expect(await places('meter_reading', 'sampled_at')).toHaveLength(days.length)
  expect(await places('meter_reading', 'sampled_at')).not.toContain('meter_reading_default')
})
