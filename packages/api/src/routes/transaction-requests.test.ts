import { verdictsChannel } from '@busbar/backbone'
import { newId } from '@busbar/store'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

const createTransaction = async () => {
  const id = newId()
  const at = new Date('2026-01-01T10:00:00Z')
  const row = { id, stationId: 'CS-1', protocol: 'ocpp1.6', naturalKey: id, status: 'active', startedAt: at }
  await api.database.prisma.chargingTransaction.create({ data: { ...row, createdAt: at, updatedAt: at } })
  return id
}
const ask = (id: string, what: string, payload: object, key?: string) =>
  api.request('operator', {
    method: 'POST',
    url: `/v1/transactions/${id}/${what}`,
    payload,
    ...(key && { headers: { 'idempotency-key': key } }),
  })
const requestsOf = (transactionId: string) =>
  api.database.prisma.transactionRequest.findMany({ where: { transactionId } })
const auditOf = (targetId: string) => api.database.prisma.auditEntry.findMany({ where: { targetId } })

/** As the transactions service does. */
async function decide(transactionId: string, status: 'applied' | 'refused', refusal: string | null = null) {
  const request = await vi.waitUntil(async () => (await requestsOf(transactionId))[0], { timeout: 10_000 })
  const { id, stationId, kind, actor, reason } = request
  const totals = { status: 'ended', startedAt: null, endedAt: null, energyWh: 1, heldReasons: [] }
  const outcome = { status, refusal, before: totals, after: totals, at: new Date() }
  await api.database.prisma.transactionCorrection.create({
    data: { id, transactionId, stationId, kind, actor, reason, ...outcome },
  })
  const verdicts = [{ commandId: id, status, response: null, error: refusal }]
  await api.channels.publish([{ channel: verdictsChannel, message: { kind: 'verdicts', verdicts } }])
  return id
}

test('a close is written down with its audit entry, and answered once it is decided', async () => {
  const id = await createTransaction()
  const pokes = api.pokes()

  const answer = ask(id, 'close', { reason: 'No Stop came', endedAt: '2026-01-01T12:00:00+01:00' })
  const requestId = await decide(id, 'applied')

  const response = await answer
  expect(response.statusCode).toBe(200)
  expect(response.json()).toMatchObject({
    ...{ id: requestId, kind: 'close', status: 'applied', reason: 'No Stop came', after: { energyWh: 1 } },
    actor: expect.stringMatching(/^operator\//),
  })
  expect(await requestsOf(id)).toMatchObject([{ kind: 'close', content: { endedAt: '2026-01-01T11:00:00.000Z' } }])
  expect(await auditOf(id)).toMatchObject([
    {
      action: 'transaction.close',
      details: { id: requestId, reason: 'No Stop came', endedAt: '2026-01-01T11:00:00.000Z' },
    },
  ])
  expect(api.pokes()).toBe(pokes + 1)
  const detail = (await api.request('viewer', { url: `/v1/transactions/${id}` })).json()
  expect(detail.corrections).toEqual([response.json()])
})

test('a refusal is 409 with its reason', async () => {
  const id = await createTransaction()

  const answer = ask(id, 'correct', { reason: 'Meter read', energyWh: 5 })
  await decide(id, 'refused', 'It still runs; close it first.')

  expect((await answer).statusCode).toBe(409)
  expect((await answer).json()).toMatchObject({ detail: 'It still runs; close it first.' })
})

test('who does not wait is told that nobody has decided yet, and finds the request with the transaction', async () => {
  const id = await createTransaction()

  const response = await ask(id, 'correct?wait=0', { reason: 'Meter read', energyWh: 5 })

  expect(response.statusCode).toBe(202)
  expect(response.json()).toMatchObject({ status: 'requested', kind: 'correct', before: null, after: null })
  const detail = (await api.request('viewer', { url: `/v1/transactions/${id}` })).json()
  expect(detail.corrections).toEqual([response.json()])
})

test('the same request under its key is one, before and after it is decided; another under that key is refused', async () => {
  const id = await createTransaction()
  const same = () => ask(id, 'close?wait=0', { reason: 'No Stop came' }, 'key-1')

  const both = await Promise.all([same(), same()])
  expect(both.map(({ statusCode }) => statusCode)).toEqual([202, 202])
  expect(both[1]?.json()).toEqual(both[0]?.json())
  expect(await requestsOf(id)).toHaveLength(1)
  const waiting = ask(id, 'close', { reason: 'No Stop came' }, 'key-1')
  await decide(id, 'applied')
  expect((await waiting).json()).toMatchObject({ status: 'applied' })
  expect((await same()).statusCode).toBe(200)

  expect((await ask(id, 'close?wait=0', { reason: 'Another' }, 'key-1')).statusCode).toBe(409)
  expect((await ask(id, 'correct?wait=0', { reason: 'No Stop came', energyWh: 1 }, 'key-1')).statusCode).toBe(409)
  expect((await ask(await createTransaction(), 'close?wait=0', { reason: 'No Stop came' }, 'key-1')).statusCode).toBe(
    409,
  )
  expect(await requestsOf(id)).toHaveLength(1)
  expect(await auditOf(id)).toHaveLength(1)
})

test.each([
  ['close', {}],
  ['close', { reason: '' }],
  ['close', { reason: 'x', energyWh: 5 }],
  ['close', { reason: 'x', endedAt: 'yesterday' }],
  ['correct', { reason: 'x' }],
  ['correct', { energyWh: 5 }],
  ['correct', { reason: 'x', energyWh: -1 }],
  ['correct', { reason: 'x', energyWh: 1.5 }],
  ['correct', { reason: 'x', energyWh: 1_000_000_000_000 }],
])('%s with %j is refused', async (what, payload) => {
  const id = await createTransaction()

  expect((await ask(id, what, payload)).statusCode).toBe(400)
  expect(await requestsOf(id)).toEqual([])
})

test('what is not there is neither closed nor corrected', async () => {
  const id = newId()

  expect((await ask(id, 'close', { reason: 'x' })).statusCode).toBe(404)
  expect((await ask(id, 'correct', { reason: 'x', energyWh: 1 })).statusCode).toBe(404)
  expect(await auditOf(id)).toEqual([])
})
