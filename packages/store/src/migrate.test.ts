import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { diagnoseHistory } from '../scripts/schema-engine.js'
import { migrations } from './generated/migrations.js'
import { type Migration, migrate } from './migrate.js'
import { newId } from './new-id.js'
import { readReadings } from './readings/read.js'
import { createTestDatabase, type TestDatabase } from './testing.js'

const log = pino({ level: 'silent' })
let store: TestDatabase
beforeEach(async () => {
  store = await createTestDatabase()
})
afterEach(() => store.drop())

const start = (extra: readonly Migration[], known = migrations) =>
  migrate(store.url, log, { migrations: [...known, ...extra] })
const rows = <Row>(text: string) => store.database.query<Row>({ text, values: [] })

test('three processes that start at once apply a migration once', async () => {
  const slow = { name: '29990101000000_slow', sql: 'SELECT pg_sleep(0.3); CREATE TABLE once (id int)' }

  const starts = await Promise.all([start([slow]), start([slow]), start([slow])])

  expect(starts.flatMap(({ applied }) => applied)).toEqual([slow.name])
  expect(await rows(`SELECT 1 AS one FROM _prisma_migrations WHERE migration_name = '${slow.name}'`)).toHaveLength(1)
})

test('a second start finds nothing to do', async () => {
  expect(await start([])).toEqual({ applied: [] })
})

test('Prisma itself finds the history it would have written', async () => {
  expect(await diagnoseHistory(store.url)).toMatchObject({
    hasMigrationsTable: true,
    history: null,
    failedMigrationNames: [],
    editedMigrationNames: [],
  })
  expect(await rows('SELECT applied_steps_count AS steps, logs, rolled_back_at FROM _prisma_migrations')).toEqual(
    migrations.map(() => ({ steps: 1, logs: null, rolled_back_at: null })),
  )
})

test('a failed migration is named and leaves nothing, and what came before it stays', async () => {
  const good = { name: '29990101000000_good', sql: 'CREATE TABLE good (id int)' }
  const bad = { name: '29990102000000_bad', sql: 'CREATE TABLE bad (id int); SELECT 1 FROM nowhere' }

  await expect(start([good, bad])).rejects.toThrow(
    /^Migration 29990102000000_bad failed and was undone: relation "nowhere" does not exist$/,
  )

  expect(await rows(`SELECT to_regclass('good') IS NOT NULL AS good, to_regclass('bad') IS NOT NULL AS bad`)).toEqual([
    { good: true, bad: false },
  ])
  expect(await start([good, { ...bad, sql: 'CREATE TABLE bad (id int)' }])).toEqual({ applied: [bad.name] })
})

test('a database newer than the binary refuses the start and names what it holds', async () => {
  await start([{ name: '29990101000000_later', sql: 'SELECT 1' }])

  await expect(start([])).rejects.toThrow(/newer than this binary: it holds migration 29990101000000_later/)
})

test('a migration that was changed after it was applied refuses the start', async () => {
  const [first, ...rest] = migrations
  if (!first) throw new Error('no migration')

  await expect(start([], [{ ...first, sql: `${first.sql} ` }, ...rest])).rejects.toThrow(/was changed after/)
})

test('a migration that prisma began and did not finish refuses the start', async () => {
  await rows('UPDATE _prisma_migrations SET finished_at = NULL')

  await expect(start([])).rejects.toThrow(/did not finish/)
})

test('waits for a prisma migrate deploy that runs', async () => {
  const done = store.database.session(async (session) => {
    await session.query({ text: 'SELECT pg_advisory_lock(72707369)', values: [] })
    await sleep(300)
    return performance.now()
  })
  await sleep(100)

  await start([])

  expect(performance.now()).toBeGreaterThan(await done)
})

test('readings from before they had an encoding are read as they were, and are to be packed', async () => {
  const later = migrations.findIndex(({ name }) => name.endsWith('_packed_readings'))
  await rows('DROP SCHEMA public CASCADE')
  await rows('CREATE SCHEMA public')
  await start([], migrations.slice(0, later))
  const id = newId()
  const samples = [{ value: '1.50', unit: 'kWh' }, { signedMeterValue: { signedMeterData: 'é"\\n' } }]
  await rows(`
    INSERT INTO charging_transaction (id, station_id, protocol, natural_key, status, created_at, updated_at)
    VALUES ('${id}', 'CS-1', 'ocpp1.6', 'k', 'ended', now(), now())`)
  await rows(`
    INSERT INTO meter_reading (sampled_at, received_at, transaction_id, station_id, evse_number, connector_number,
      content_key, samples)
    SELECT at, at, '${id}', 'CS-1', 2, 1, 'x', '${JSON.stringify(samples)}'
    FROM unnest(ARRAY['1970-01-01T00:00:00Z', now()]::timestamptz[]) AS given (at)`)

  await start([])

  const readings = await readReadings(store.database, id, { after: null, limit: 10 })
  expect(readings).toMatchObject(Array(2).fill({ evseNumber: 2, connectorNumber: 1, samples }))
  expect(await rows('SELECT service, kind, key, station_id FROM job')).toEqual([
    { service: 'transactions', kind: 'pack-readings', key: id, station_id: 'CS-1' },
  ])
})
