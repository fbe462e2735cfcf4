import { createTestDatabase, type TestDatabase } from '@busbar/store'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { decisionContext } from '../pipeline/testing.js'
import { type Message, message16, message201, withAnswered } from './histories.js'
import { project, rowsOf, storedRows } from './projection.js'
import { createTransactionsService } from './service.js'
import {
  acceptedToken,
  authorize16,
  chargingState,
  decide,
  event201,
  idToken,
  meterValues16,
  minute,
  newId,
  propertyRuns,
  start16,
  stop16,
} from './testing.js'

let db: TestDatabase
const service = createTransactionsService()
const hookTimeoutMs = 60_000

beforeAll(async () => {
  db = await createTestDatabase()
  const { prisma } = db.database
  const { foldedValue, value, type, status } = acceptedToken
  await prisma.tokenGroup.create({ data: { id: 'GROUP', masterPass: false } })
  await prisma.token.create({
    data: { id: acceptedToken.id, value, foldedValue, type, status, groupId: 'GROUP', language: 'de' },
  })
}, hookTimeoutMs)

afterAll(async () => {
  await db?.drop()
}, hookTimeoutMs)

/** One turn of the pipeline: load, decide, save. */
async function batch(records: readonly InboundRecord[], ids = newId): Promise<unknown[]> {
  const state = await service.load(db.database, records, new Date())
  const decisions = records.map((record) => service.decide(record, state, decisionContext(record, { newId: ids })))
  await db.database.commit(service.save(state))
  return decisions.map(({ answer }) => answer)
}

const token = { ...acceptedToken, groupId: 'GROUP', language: 'de' }

test('a batch stored is the state that was in memory', async () => {
  const records = [start16({ reservationId: 4 }), event201('Started', 0, { idToken: idToken('ABCD1234') })].map(
    (record) => ({ ...record, stationId: 'ROUND-TRIP' }),
  )
  const state = chargingState({ tokens: [token] })
  for (const record of records) decide(state, record)
  await batch(records)
  const stored = project(await storedRows(db.database, 'ROUND-TRIP'), { arrival: true })
  expect(stored).toEqual(project(rowsOf(state), { arrival: true }))
})

test('a replay in a later batch, by another gateway, gets the same id and status', async () => {
  const [first] = await batch([start16({}, 501, { stationId: 'REPLAY' })])
  const [second, stopped] = await batch([
    start16({}, 502, { stationId: 'REPLAY', connectionId: 'connection-2' }),
    stop16({ transactionId: 502 }, { stationId: 'REPLAY' }),
  ])
  const [third, again] = await batch([
    start16({}, 503, { stationId: 'REPLAY' }),
    stop16({ transactionId: 503 }, { stationId: 'REPLAY' }),
  ])
  expect(first).toMatchObject({
    result: { transactionId: 501, idTagInfo: { status: 'Accepted', parentIdTag: 'GROUP' } },
  })
  expect([second, third]).toEqual([first, first])
  expect(again).toEqual(stopped)
  const rows = await storedRows(db.database, 'REPLAY')
  expect(rows.transactions).toMatchObject([{ ocppId: '501', status: 'ended', energyWh: 5000n }])
  expect(rows.aliases).toHaveLength(3)
  expect(rows.steps).toHaveLength(2)
})

test('a limit counts transactions at other stations, but not those silent since a later boot', async () => {
  const { prisma } = db.database
  const id = '0190a000-0000-7000-8000-000000000002'
  const limited = { id, value: 'ONE', foldedValue: 'one', type: 'ISO14443', maxTransactions: 1 }
  await prisma.token.create({ data: limited })
  const startAt = (stationId: string) => start16({ idTag: 'ONE' }, 1, { stationId })
  const status = async (stationId: string) => (await batch([startAt(stationId)]))[0]

  expect(await status('LIMIT-1')).toMatchObject({ result: { idTagInfo: { status: 'Accepted' } } })
  expect(await status('LIMIT-2')).toMatchObject({ result: { idTagInfo: { status: 'ConcurrentTx' } } })
  // Started while refused: it runs all the same and counts, until its station boots without another word of it.
  for (const stationId of ['LIMIT-1', 'LIMIT-2'])
    await prisma.stationState.create({ data: { stationId, bootCount: 1 } })
  expect(await status('LIMIT-3')).toMatchObject({ result: { idTagInfo: { status: 'Accepted' } } })
})

test('tokens are found whatever their letter case, and only when they exist', async () => {
  const answers = await batch([authorize16('abcd1234'), authorize16('nobody')])
  expect(answers).toMatchObject([
    { result: { idTagInfo: { status: 'Accepted' } } },
    { result: { idTagInfo: { status: 'Invalid' } } },
  ])
})

test('readings alone are held against the power that the operator set for their station', async () => {
  const [stationId, switches] = ['POWER', { maxPowerW: 22_000 }]
  await db.database.prisma.station.create({ data: { id: stationId, foldedId: 'power', switches } })
  await batch([start16({ meterStart: 0 }, 800, { stationId })])
  await batch([meterValues16({ transactionId: 800 }, { [minute(10)]: 51_000 }, { stationId })])

  expect((await storedRows(db.database, stationId)).transactions).toMatchObject([
    { status: 'active', heldReasons: ['begin-unconfirmed', 'power-implausible'] },
  ])
})

test('a record that cannot be read fails alone', async () => {
  const broken = start16({ meterStart: undefined }, 1, { stationId: 'BROKEN' })
  const state = await service.load(db.database, [broken, start16({}, 2, { stationId: 'BROKEN' })], new Date())
  expect(() => service.decide(broken, state, decisionContext(broken))).toThrow('meterStart')
})

test('T13: stations with the same ids never touch each other', async () => {
  await batch([start16({}, 900, { stationId: 'OWNER' })])
  await batch([stop16({ transactionId: 900 }, { stationId: 'THIEF' })])
  expect((await storedRows(db.database, 'OWNER')).transactions).toMatchObject([{ status: 'active' }])
  expect((await storedRows(db.database, 'THIEF')).transactions).toMatchObject([{ status: 'orphan' }])
})

test('one statement per table writes thousands of starts', async () => {
  const records = Array.from({ length: 3000 }, (_, index) =>
    start16({ timestamp: minute(index) }, index + 1, { stationId: `BULK-${index % 500}`, sequence: index }),
  )
  const state = await service.load(db.database, records, new Date())
  for (const record of records) service.decide(record, state, decisionContext(record, { newId }))
  const statements = service.save(state)
  expect(statements).toHaveLength(3)
  await db.database.commit(statements)
  expect((await storedRows(db.database, 'BULK-7')).transactions).toHaveLength(6)
}, 30_000)

/** Cuts a list at the given places. */
function split<Value>(values: readonly Value[], cuts: readonly boolean[]): Value[][] {
  return values.reduce<Value[][]>((parts, value, index) => {
    const last = parts.at(-1)
    if (last && !cuts[index]) last.push(value)
    else parts.push([value])
    return parts
  }, [])
}

test('a history split into batches at random comes to the same rows as in one', async () => {
  const messages = fc.array(fc.oneof(message201, message16), { minLength: 1, maxLength: 12 })
  const history = fc.record({
    messages: fc.array(
      fc.record({ message: fc.integer({ min: 0, max: 11 }), answered: fc.boolean(), cut: fc.boolean() }),
      {
        minLength: 1,
        maxLength: 20,
      },
    ),
    pool: messages,
  })
  let runs = 0
  await fc.assert(
    fc.asyncProperty(history, async ({ messages: sent, pool }) => {
      runs += 1
      const stationId = `SPLIT-${runs}`
      const records = sent.flatMap(({ message, answered, cut }, index) => {
        const send = pool[message % pool.length] as Message
        const record = send({ stationId, sequence: index, connectionId: `${runs}-${index % 3}` })
        return (answered ? withAnswered(record) : [record]).map((each) => ({ record: each, cut }))
      })
      const state = chargingState({ tokens: [token] })
      const idsInMemory = countedIds(runs)
      const expected = records.map(({ record }) => decide(state, record, { newId: idsInMemory }).answer)
      const idsStored = countedIds(runs)
      const answers: unknown[] = []
      for (const part of split(
        records.map(({ record }) => record),
        records.map(({ cut }) => cut),
      )) {
        answers.push(...(await batch(part, idsStored)))
      }
      const stored = project(await storedRows(db.database, stationId), { arrival: true })
      expect(stored).toEqual(project(rowsOf(state), { arrival: true }))
      expect(answers).toEqual(expected)
    }),
    { numRuns: Math.min(propertyRuns, 1000) },
  )
}, 3_600_000)

/** The same ids for both, because an id that is taken is drawn again from their end; there far above the gateway's. */
function countedIds(run: number): () => string {
  let count = 0
  return () =>
    `0190d000-0000-7000-8000-${run.toString(16).padStart(4, '0')}${(0x100000 + ++count).toString(16).padStart(8, '0')}`
}
