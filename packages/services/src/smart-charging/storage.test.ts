import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { applyRecords, playBatch, toLogRecord } from '../pipeline/testing-batches.js'
import { createSmartChargingService, smartChargingPart } from './service.js'
import { loadSmartCharging } from './storage.js'
import {
  clear,
  commandId,
  due,
  later,
  news,
  now,
  remoteNews,
  set,
  setNews,
  transactionEvent,
  transactionId,
} from './testing.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db?.drop())
beforeEach(async () => {
  await db.database.query({
    text: `TRUNCATE charging_profile, charging_profile_clear, reported_schedule, charging_transaction, transaction_alias,
             transaction_step, job, dead_letter`,
    values: [],
  })
})

const batch = (...records: InboundRecord[]) => playBatch(smartChargingPart, db.database, records)

async function books(): Promise<string[]> {
  const rows = await db.database.query<{ command_id: string; status: string }>({
    text: 'SELECT command_id, status FROM charging_profile ORDER BY command_id',
    values: [],
  })
  return rows.map(({ command_id, status }) => `${commandNames.get(command_id)} ${status}`)
}
/** A UUID of version 4. */
const foreignId = 'f47ac10b-58cc-4372-a567-0e02b2c3d479'
const commandNames = new Map([
  ...[0, 10, 20, 30].map((asked) => [commandId(asked), String(asked)] as const),
  [foreignId, '0'],
])

async function insertTransaction(change: object = {}): Promise<void> {
  await db.database.prisma.chargingTransaction.create({
    data: {
      ...{ id: transactionId, stationId: 'CP-1', protocol: 'ocpp1.6', naturalKey: 'key', ocppId: '4711' },
      ...{ evseNumber: 1, connectorNumber: 1, tokenValue: 'Driver', status: 'active', startedAt: later(5) },
      ...{ createdAt: later(6), updatedAt: now },
      ...change,
    },
  })
  await db.database.prisma.transactionAlias.create({ data: { stationId: 'CP-1', ocppId: '4711', transactionId } })
}

const insertStop = (heardAt: number) =>
  db.database.prisma.transactionStep.create({
    data: {
      ...{
        transactionId,
        stepKey: 'stop',
        stationId: 'CP-1',
        connectionId: 'c',
        sequence: 1n,
        kind: 'StopTransaction',
      },
      ...{ at: later(heardAt), receivedAt: later(heardAt), payload: {} },
    },
  })

const endTransaction = (at: number) =>
  db.database.prisma.chargingTransaction.update({
    where: { id: transactionId },
    data: { status: 'ended', endedAt: later(at) },
  })

test('what is stored is read again as it was, in a later batch', async () => {
  await batch(...set({ id: 7, level: 3 }))
  const state = await loadSmartCharging(db.database, [transactionEvent('started', { at: 5 })])

  expect(state.profiles.find(commandId(0))).toEqual({
    commandId: commandId(0),
    stationId: 'CP-1',
    action: 'SetChargingProfile',
    sent: { connectorId: 1, csChargingProfiles: expect.objectContaining({ chargingProfileId: 7, stackLevel: 3 }) },
    answer: 'accepted',
    status: 'active',
    transactionId: null,
    requestedBy: 'key-1',
    requestedAt: now,
    answeredAt: later(1),
    settledAt: null,
  })
})

test('books go on from batch to batch', async () => {
  await batch(...set())
  await batch(setNews('requested', { id: 2 }, { asked: 10 }))
  await batch(setNews('accepted', { id: 2 }, { asked: 10 }), ...set({ id: 3, level: 1 }, { asked: 20 }))
  expect(await books()).toEqual(['0 replaced', '10 active', '20 active'])

  await batch(...clear({ stackLevel: 1 }, { asked: 30 }))
  expect(await books()).toEqual(['0 replaced', '10 active', '20 cleared'])
})

test.each([
  ['of Busbar', commandId(0)],
  ['of whoever asked over the log', foreignId],
])('an answer that comes hours late finds what came meanwhile, though that is gone as well; id %s', async (_, id) => {
  await batch(setNews('requested', {}, { id }), setNews('unknown', {}, { id }))
  await batch(...set({}, { asked: 10 }))
  await batch(...clear({}, { asked: 20 }))

  await batch(setNews('accepted', {}, { id, at: 10_000 }))

  expect((await books()).sort()).toEqual(['0 replaced', '10 cleared'])
})

test('what a late answer ended ended when that was asked, as if it had come in time', async () => {
  await batch(...set(), setNews('requested', {}, { asked: 10 }), setNews('unknown', {}, { asked: 10 }))
  await batch(...set({}, { asked: 20 }))

  await batch(setNews('accepted', {}, { asked: 10, at: 60 }))

  const rows = await db.database.prisma.chargingProfile.findMany({ orderBy: { commandId: 'asc' } })
  expect(rows.map(({ settledAt }) => settledAt)).toEqual([later(10), later(20), null])
})

test('stations do not touch one another', async () => {
  await batch(...set(), ...set({}, { asked: 10, station: 'CP-2' }), ...clear({}, { asked: 20, station: 'CP-2' }))

  expect(await books()).toEqual(['0 active', '10 cleared'])
})

test('a remote start waits for its transaction, whichever is known first, and its profile goes with it', async () => {
  await batch(remoteNews('requested'), remoteNews('accepted'))
  expect(await books()).toEqual(['0 pending'])

  await insertTransaction()
  await batch(transactionEvent('started', { at: 7 }))
  expect(await books()).toEqual(['0 active'])

  await endTransaction(60)
  await batch(transactionEvent('ended', { at: 20_000 }))
  expect(await books()).toEqual(['0 ended'])
})

test('the event of a transaction may be read before the answer to its remote start', async () => {
  await batch(remoteNews('requested'))
  await insertTransaction()
  await batch(transactionEvent('started', { at: 7 }))
  expect(await books()).toEqual(['0 requested'])

  await batch(remoteNews('accepted', {}, { at: 8 }))

  expect(await books()).toEqual(['0 active'])
})

test('a TxProfile that names its transaction, or only its connector, goes with it', async () => {
  await insertTransaction()
  await batch(
    ...set({ purpose: 'TxProfile', transaction: 4711 }, { asked: 10 }),
    ...set({ id: 2, purpose: 'TxProfile', level: 1 }, { asked: 20 }),
    ...set({ id: 3, purpose: 'TxProfile', transaction: 4712, level: 2 }, { asked: 30 }),
  )
  expect(await books()).toEqual(['10 active', '20 active', '30 active'])

  await endTransaction(60)
  await batch(transactionEvent('ended', { at: 61 }))
  expect(await books()).toEqual(['10 ended', '20 ended', '30 active'])
})

test.each([
  ['runs ahead', 7_200],
  ['is behind', -7_200],
])('a TxProfile goes with its transaction though the clock of the station %s', async (_, endedAt) => {
  await insertTransaction()
  await batch(
    ...set({ purpose: 'TxProfile', transaction: 4711 }, { asked: 10 }),
    ...set({ id: 2, purpose: 'TxProfile', level: 1 }, { asked: 20 }),
  )

  await endTransaction(endedAt)
  await insertStop(60)
  await batch(transactionEvent('ended', { at: 61 }))

  expect(await books()).toEqual(['10 ended', '20 ended'])
  expect(await db.database.prisma.chargingProfile.findMany({ select: { settledAt: true } })).toEqual([
    { settledAt: later(60) },
    { settledAt: later(60) },
  ])
})

test('a TxProfile goes with a transaction that another took the place of and whose Stop never came', async () => {
  await insertTransaction()
  await batch(...set({ purpose: 'TxProfile', transaction: 4711 }, { asked: 10 }))
  const id = '01910000-0000-7000-8000-000000000002'
  await db.database.prisma.chargingTransaction.create({
    data: {
      ...{ id, stationId: 'CP-1', protocol: 'ocpp1.6', naturalKey: 'next', ocppId: '4712', status: 'active' },
      ...{ evseNumber: 1, connectorNumber: 1, startedAt: later(90), createdAt: later(91), updatedAt: later(91) },
    },
  })
  await db.database.prisma.chargingTransaction.update({
    where: { id: transactionId },
    data: { flags: ['superseded'] },
  })

  await batch(transactionEvent('started', { at: 92 }))

  expect(await books()).toEqual(['10 ended'])
})

test("T13: ids of another station's transactions find nothing", async () => {
  await insertTransaction({ endedAt: later(7) })

  await batch(...set({ purpose: 'TxProfile', transaction: 4711 }, { asked: 10, station: 'CP-2' }))

  expect(await books()).toEqual(['10 active'])
  expect(await db.database.prisma.chargingProfile.findMany({ select: { transactionId: true } })).toEqual([
    { transactionId: null },
  ])
})

test('the last reported schedule of a connector stays the last one', async () => {
  const answered = (at: number, status: string) =>
    news('GetCompositeSchedule', 'accepted', { connectorId: 1, duration: 60 }, { asked: at, at }, { status })
  await batch(answered(10, 'Accepted'))
  await batch(answered(5, 'Older'), answered(20, 'Newer'))
  await batch(answered(15, 'Between'))

  expect(await db.database.prisma.reportedSchedule.findMany()).toMatchObject([
    { stationId: 'CP-1', connector: 1, sent: { duration: 60 }, response: { status: 'Newer' }, answeredAt: later(20) },
  ])
})

test('the service keeps jobs for what time alone changes, and brings them to an end', async () => {
  const service = createSmartChargingService()
  const apply = (...records: InboundRecord[]) =>
    applyRecords(service, records.map(toLogRecord), {
      database: db.database,
      clock: () => records.at(-1)?.receivedAt ?? now,
    })
  const jobs = () => db.database.prisma.job.findMany()

  await apply(...set({ validTo: later(100).toISOString() }))
  expect(await jobs()).toEqual([
    { service: 'smart-charging', kind: 'profile-due', key: commandId(0), stationId: 'CP-1', dueAt: later(100) },
  ])

  await apply(due(0, { at: 100 }))
  expect(await books()).toEqual(['0 expired'])
  expect(await jobs()).toEqual([])
  await apply(due(0, { at: 101 }))
  expect(await books()).toEqual(['0 expired'])
})
