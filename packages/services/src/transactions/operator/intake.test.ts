import { apiSource, topicNames } from '@busbar/backbone'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseRecord } from '../../pipeline/inbound.js'
import type { InboundRecord } from '../../pipeline/service.js'
import { decisionContext, logRecord } from '../../pipeline/testing.js'
import { createTransactionsService } from '../service.js'
import { meterValues16, minute, newId, start16, stop16 } from '../testing.js'
import { createTransactionIntake, type TransactionRequest } from './intake.js'

let store: TestDatabase
const service = createTransactionsService()
const topics = topicNames('busbar')
const intake = createTransactionIntake({ topics })

beforeAll(async () => {
  store = await createTestDatabase()
}, 60_000)
afterAll(() => store?.drop())

/** One turn of the pipeline: load, decide, save. */
async function batch(...records: InboundRecord[]) {
  const state = await service.load(store.database, records, new Date())
  const decisions = records.map((record) => service.decide(record, state, decisionContext(record, { newId })))
  await store.database.commit(service.save(state))
  return decisions
}

/** The API's commit. @returns whether it was new */
async function ask(request: TransactionRequest): Promise<boolean> {
  const [rows] = await store.database.commit([intake.prepare(request).statement])
  return rows?.length === 1
}

async function sent(): Promise<InboundRecord[]> {
  const rows = await store.database.prisma.outbox.findMany({ where: { source: apiSource }, orderBy: { id: 'asc' } })
  return rows.map(({ topic, key, value, headers }) =>
    parseRecord(logRecord({ topic, key, value: Buffer.from(value), headers: headers as Record<string, string> })),
  )
}

test('a request travels to its lane once, and comes to the same rows however often it is read there', async () => {
  const { prisma } = store.database
  await batch(start16({}, 1001, { stationId: 'CS-1' }))
  await batch(meterValues16({ transactionId: 1001 }, { [minute(30)]: 3500 }, { stationId: 'CS-1' }))
  const { id } = await prisma.chargingTransaction.findFirstOrThrow({ where: { stationId: 'CS-1' } })
  const owner = { transactionId: id, stationId: 'CS-1', actor: 'Olga/key-1', requestedBy: 'key-1' }
  const close = { ...owner, kind: 'close', content: {}, reason: 'No Stop: "gone"', idempotencyKey: 'a' } as const

  expect(await ask(close)).toBe(true)
  expect(await ask({ ...close, reason: 'Another' })).toBe(false)
  const [record, ...others] = await sent()
  if (!record) throw new Error('nothing was sent')

  expect(others).toEqual([])
  expect(record).toMatchObject({
    type: 'operator-request',
    stationId: 'CS-1',
    record: { topic: topics.lane('transactions') },
  })
  const [request] = await prisma.transactionRequest.findMany()
  expect(request).toMatchObject({ reason: 'No Stop: "gone"', createdAt: record.receivedAt })
  const first = await batch(record)
  const again = [...(await batch(record)), ...(await batch(record, record))]

  expect(first).toMatchObject([{ verdicts: [{ commandId: request?.id, status: 'applied' }] }])
  for (const decision of again) expect(decision).toEqual({ verdicts: first[0]?.verdicts })
  await batch(stop16({}, { stationId: 'CS-1' }))
  const correct = {
    ...owner,
    kind: 'correct',
    content: { energyWh: 4200 },
    reason: 'Read',
    idempotencyKey: 'b',
  } as const
  await ask(correct)
  await batch(...(await sent()))
  expect(await prisma.chargingTransaction.findUniqueOrThrow({ where: { id } })).toMatchObject({
    ...{ status: 'ended', energyWh: 4200n, endedAt: new Date(minute(60)), energySource: 'operator' },
    corrected: { energyWh: 4200, measuredEnergyWh: 5000, startedAt: null, endedAt: null },
  })
  const rows = await prisma.transactionCorrection.findMany({ where: { transactionId: id } })
  expect(rows.map(({ kind, before, after }) => ({ kind, before, after }))).toMatchObject(
    expect.arrayContaining([
      {
        kind: 'close',
        before: expect.objectContaining({ status: 'active' }),
        after: expect.objectContaining({ energyWh: 2500 }),
      },
      {
        kind: 'evidence',
        before: expect.objectContaining({ energyWh: 2500 }),
        after: expect.objectContaining({ energyWh: 5000 }),
      },
      {
        kind: 'correct',
        before: expect.objectContaining({ energyWh: 5000 }),
        after: expect.objectContaining({ energyWh: 4200 }),
      },
    ]),
  )
  expect(rows).toHaveLength(3)
})
