import { createTestDatabase, readReadings, type TestDatabase } from '@busbar/store'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { decisionContext, inboundRecord } from '../pipeline/testing.js'
import { project, storedRows } from './projection.js'
import { createTransactionsService } from './service.js'
import { meterValues16, minute, newId, propertyRuns, start16, stop16 } from './testing.js'

let db: TestDatabase
const service = createTransactionsService()
const hookTimeoutMs = 60_000

beforeAll(async () => {
  db = await createTestDatabase()
}, hookTimeoutMs)
afterAll(async () => {
  await db?.drop()
}, hookTimeoutMs)

const now = new Date(minute(120))

/** One turn of the pipeline. @returns the jobs it put and removed */
async function batch(records: readonly InboundRecord[]) {
  const state = await service.load(db.database, records, now)
  const decisions = records.map((record) =>
    service.decide(record, state, { ...decisionContext(record, { newId }), now }),
  )
  await db.database.commit(service.save(state))
  const jobs = decisions.map(({ jobs }) => jobs)
  return { put: jobs.flatMap((each) => each?.put ?? []), removed: jobs.flatMap((each) => each?.remove ?? []) }
}

const due = (stationId: string, key: string) =>
  inboundRecord({ type: 'due', stationId, headers: { type: 'due', station: stationId, kind: 'pack-readings', key } })

async function count(table: string, transactionId: string): Promise<number> {
  const text = `SELECT count(*)::int AS count FROM ${table} WHERE transaction_id = $1`
  const [row] = await db.database.query<{ count: number }>({ text, values: [transactionId] })
  return row?.count ?? 0
}

async function charge(stationId: string, minutes: readonly number[]): Promise<string> {
  const readings = minutes.map((each) => meter(stationId, { [minute(each)]: 1000 + each }))
  const { put } = await batch([start16({}, 1, { stationId }), ...readings, stop16({ transactionId: 1 }, { stationId })])
  return put.at(-1)?.key ?? ''
}

const meter = (stationId: string, samples: Record<string, number>) =>
  meterValues16({ transactionId: 1 }, samples, { stationId })

const allOf = (id: string) => readReadings(db.database, id, { after: null, limit: 10_000 })

test('readings are packed an hour after the end, and read the same', async () => {
  const stationId = 'PACKED'
  const running = await batch([start16({}, 1, { stationId }), meter(stationId, { [minute(1)]: 1100 })])
  const ended = await batch([meter(stationId, { [minute(2)]: 1200 }), stop16({ transactionId: 1 }, { stationId })])
  const [job] = ended.put
  const id = job?.key ?? ''
  const before = await storedRows(db.database, stationId)
  const packed = await batch([due(stationId, id)])

  expect(running.put).toEqual([])
  expect(ended.put).toMatchObject([
    { service: 'transactions', kind: 'pack-readings', stationId, dueAt: new Date(now.getTime() + 3_600_000) },
  ])
  expect(packed).toMatchObject({ put: [], removed: [{ kind: 'pack-readings', key: id }] })
  expect([await count('meter_reading', id), await count('meter_reading_pack', id)]).toEqual([0, 1])
  const arrival = { arrival: true }
  expect(project(await storedRows(db.database, stationId), arrival)).toEqual(project(before, arrival))
  expect(await allOf(id)).toMatchObject([
    { sampledAt: new Date(minute(1)), evseNumber: 1, connectorNumber: 1, samples: [{ value: '1100' }] },
    { sampledAt: new Date(minute(2)), samples: [{ value: '1200' }] },
  ])
})

test('a job that comes again, twice in a batch too, finds nothing to do', async () => {
  const id = await charge('AGAIN', [1, 2, 3])

  await batch([due('AGAIN', id), due('AGAIN', id)])
  await batch([due('AGAIN', id)])

  expect(await count('meter_reading_pack', id)).toBe(1)
  expect(await allOf(id)).toHaveLength(3)
})

test('a reading that comes late, in the batch of the job or after it, waits for a pack of its own', async () => {
  const id = await charge('LATE', [1, 3])

  const { put } = await batch([due('LATE', id), meter('LATE', { [minute(2)]: 1002 })])
  expect(put).toMatchObject([{ kind: 'pack-readings', key: id }])
  await batch([meter('LATE', { [minute(0)]: 1000 }), meter('LATE', { [minute(3)]: 1003 })])
  expect(await count('meter_reading', id)).toBe(3)
  const values = async () => (await allOf(id)).map(({ samples }) => (samples[0] as { value: string }).value)
  expect(await values()).toEqual(['1000', '1001', '1002', '1003'])

  await batch([due('LATE', id)])
  expect([await count('meter_reading', id), await count('meter_reading_pack', id)]).toEqual([0, 2])
  expect(await values()).toEqual(['1000', '1001', '1002', '1003'])
})

test('what is too long for a pack stays a row', async () => {
  const id = await charge('LONG', [1, 2])
  const long = { value: 'S'.repeat(5_000), format: 'SignedData' }
  const meterValue = [{ timestamp: minute(1), sampledValue: [long] }]
  await batch([{ ...meter('LONG', {}), payload: { connectorId: 1, transactionId: 1, meterValue } }])

  await batch([due('LONG', id)])

  expect([await count('meter_reading', id), await count('meter_reading_pack', id)]).toEqual([1, 1])
  expect(await allOf(id)).toHaveLength(3)
  expect((await allOf(id)).flatMap(({ samples }) => samples)).toContainEqual(long)
})

test('thousands of readings make several packs, one a turn', async () => {
  const id = await charge(
    'MANY',
    Array.from({ length: 4_500 }, (_, index) => index),
  )
  const before = await allOf(id)

  let turns = 0
  for (let more = true; more; turns += 1) more = (await batch([due('MANY', id)])).put.length > 0

  expect(turns).toBe(3)
  expect([await count('meter_reading', id), await count('meter_reading_pack', id)]).toEqual([0, 3])
  expect(await allOf(id)).toEqual(before)
}, 30_000)

test('whatever comes and whenever it is packed, the readings are those that came, each once, page by page', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.array(fc.tuple(fc.nat(12), fc.nat(2)), { minLength: 1, maxLength: 6 }) },
    { weight: 1, arbitrary: fc.constant('pack' as const) },
  )
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.integer({ min: 1, max: 5 }), async (steps, limit) => {
      runs += 1
      const stationId = `ANY-${runs}`
      const id = await charge(stationId, [])
      const sent = new Set<string>()
      for (const each of steps) {
        if (each === 'pack') await batch([due(stationId, id)])
        else {
          const readings = each.map(([at, value]) => [minute(at), value] as const)
          for (const [at, value] of readings) sent.add(`${at} ${value}`)
          await batch(readings.map(([at, value]) => meter(stationId, { [at]: value })))
        }
      }
      const found: string[] = []
      for (let after = null, more = true; more; ) {
        const page = await readReadings(db.database, id, { after, limit })
        found.push(...page.map(({ sampledAt, samples }) => `${sampledAt.toISOString()} ${firstValue(samples)}`))
        after = page.at(-1) ?? null
        more = page.length === limit
      }
      expect(found.toSorted()).toEqual([...sent].toSorted())
      expect(found.map((each) => each.slice(0, 24))).toEqual(found.map((each) => each.slice(0, 24)).toSorted())
    }),
    { numRuns: Math.min(propertyRuns, 300) },
  )
}, 600_000)

const firstValue = (samples: readonly unknown[]) => (samples[0] as { value: string }).value
