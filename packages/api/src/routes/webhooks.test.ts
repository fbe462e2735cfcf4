import { newId } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
let prisma: TestApi['database']['prisma']
beforeAll(async () => {
  api = await startTestApi()
  prisma = api.database.prisma
})
afterAll(() => api.stop())

const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object) =>
  api.request('admin', { method, url, ...(payload && { payload }) })
const draft = { name: 'billing', url: 'https://hooks.example.com/T0/secret-path', eventTypes: ['busbar.transaction.*'] }

async function create(rest: object = {}) {
  const response = await call('POST', '/v1/webhooks', { ...draft, ...rest })
  expect(response.statusCode).toBe(201)
  return response.json() as { id: string; secret: string }
}
const jobs = () => prisma.job.findMany({ where: { kind: 'webhook-look' } })

test('a secret is told once, and stands sealed in the database and nowhere else', async () => {
  const { id, secret } = await create()
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/=]{32,}$/)

  const shown = await call('GET', `/v1/webhooks/${id}`)
  const list = await call('GET', '/v1/webhooks')
  expect(shown.json()).toMatchObject({ ...draft, id, state: 'active', failingSince: null, previousSecretUntil: null })
  expect(shown.body + list.body).not.toContain(secret)
  const [row] = await prisma.webhook.findMany({ where: { id } })
  expect(row?.secret).toMatch(/^sealed:/)
  const audit = await prisma.auditEntry.findMany({ where: { targetId: id } })
  expect(audit).toMatchObject([
    { action: 'webhook.create', details: { name: 'billing', origin: 'https://hooks.example.com' } },
  ])
  expect(JSON.stringify(audit.map(({ details }) => details))).not.toMatch(/secret/)
})

test('a new secret leaves the one before good for a day, or for no time', async () => {
  const { id, secret } = await create()
  const changed = await call('POST', `/v1/webhooks/${id}/secret`, {})
  expect(changed.json().secret).not.toBe(secret)
  const untilMs = new Date(changed.json().previousSecretUntil).getTime()
  expect(untilMs - Date.now()).toBeGreaterThan(86_300_000)
  const before = await prisma.webhook.findUnique({ where: { id } })
  expect(before?.previousSecret).not.toBe(before?.secret)

  const again = await call('POST', `/v1/webhooks/${id}/secret`, { previousValidHours: 0 })
  expect(again.json().previousSecretUntil).toBeNull()
  expect(await prisma.webhook.findUnique({ where: { id } })).toMatchObject({ previousSecret: null })
})

test.each([
  [{ url: 'https://10.0.0.1/' }, 422],
  [{ url: 'no address' }, 400],
  [{ eventTypes: ['transaction.ended'] }, 400],
  [{ eventTypes: ['busbar.*.v1'] }, 400],
  [{ name: '' }, 400],
  [{ secret: 'mine' }, 400],
])('%j is refused with %i', async (rest, status) => {
  const response = await call('POST', '/v1/webhooks', { ...draft, ...rest })
  expect(response.statusCode).toBe(status)
  expect(response.json().errors).toHaveLength(1)
})

test('one that was given up says so, and is on again when the operator says it', async () => {
  const { id } = await create()
  const failed = { webhookId: id, failingSince: new Date(0), disabledAt: new Date(Date.now() + 1) }
  await prisma.webhookState.create({ data: failed })
  expect((await call('GET', `/v1/webhooks/${id}`)).json().state).toBe('disabled')
  const row = await prisma.webhook.findUniqueOrThrow({ where: { id } })
  await prisma.webhookState.update({ where: { webhookId: id }, data: { disabledAt: row.enabledAt } })

  const answer = await call('PATCH', `/v1/webhooks/${id}`, { enabled: true })
  expect(answer.json().state).toBe('active')
  expect((await call('GET', `/v1/webhooks/${id}`)).json().state).not.toBe('disabled')
  expect(await jobs()).toMatchObject([{ service: 'notifications', key: id }])

  expect((await call('PATCH', `/v1/webhooks/${id}`, { enabled: false })).json().state).toBe('off')
  await call('PATCH', `/v1/webhooks/${id}`, { name: 'renamed' })
  expect((await call('GET', `/v1/webhooks/${id}`)).json()).toMatchObject({ name: 'renamed', state: 'off' })
})

test('a deleted webhook is gone, and the service is told to forget it', async () => {
  const { id } = await create()
  expect((await call('DELETE', `/v1/webhooks/${id}`)).statusCode).toBe(204)
  expect((await call('GET', `/v1/webhooks/${id}`)).statusCode).toBe(404)
  expect((await call('DELETE', `/v1/webhooks/${id}`)).statusCode).toBe(404)
  expect(await jobs()).toEqual(expect.arrayContaining([expect.objectContaining({ key: id })]))
})

test('deliveries are listed newest first with what came of them, read whole, and sent again', async () => {
  const { id } = await create()
  const ids = [newId(1_000), newId(2_000), newId(3_000)]
  const attempt = (status: number) => ({
    at: '2026-03-01T10:00:00.000Z',
    durationMs: 12,
    status,
    error: status < 300 ? null : `answered ${status}`,
  })
  await prisma.webhookDelivery.createMany({
    data: ids.map((deliveryId, index) => ({
      ...{ id: deliveryId, webhookId: id, eventId: `event-${index}`, eventType: 'busbar.station.booted.v1' },
      ...{
        body: Buffer.from('{"a":1}'),
        status: index === 2 ? 'failed' : 'delivered',
        createdAt: new Date(),
        expiresAt: new Date(),
      },
      attempts: index === 2 ? [attempt(500), attempt(503)] : [attempt(200)],
    })),
  })

  const first = (await call('GET', `/v1/webhooks/${id}/deliveries?limit=2`)).json()
  expect(first.items).toMatchObject([
    { id: ids[2], status: 'failed', attemptCount: 2, lastStatus: 503 },
    { id: ids[1], status: 'delivered', lastStatus: 200, nextAttemptAt: null },
  ])
  const second = (await call('GET', `/v1/webhooks/${id}/deliveries?limit=2&cursor=${first.nextCursor}`)).json()
  expect(second).toMatchObject({ items: [{ id: ids[0] }], nextCursor: null })
  expect((await call('GET', `/v1/webhooks/${id}/deliveries?status=failed`)).json().items).toHaveLength(1)
  expect((await call('GET', `/v1/webhooks/${id}/deliveries/${ids[2]}`)).json()).toMatchObject({
    body: '{"a":1}',
    attempts: [
      { status: 500, durationMs: 12 },
      { status: 503, error: 'answered 503' },
    ],
  })

  expect((await call('POST', `/v1/webhooks/${id}/deliveries/${ids[2]}/resend`)).statusCode).toBe(202)
  expect(await prisma.webhookDelivery.findUnique({ where: { id: ids[2] ?? '' } })).toMatchObject({ status: 'pending' })
  const other = await create()
  expect((await call('POST', `/v1/webhooks/${other.id}/deliveries/${ids[2]}/resend`)).statusCode).toBe(404)
  expect(await prisma.auditEntry.findMany({ where: { action: 'webhook.resend' } })).toMatchObject([{ targetId: id }])
})

test('a test is a delivery of its own', async () => {
  const { id } = await create()
  const { deliveryId } = (await call('POST', `/v1/webhooks/${id}/test`)).json()
  expect((await call('GET', `/v1/webhooks/${id}/deliveries`)).json().items).toMatchObject([
    { id: deliveryId, eventType: 'busbar.webhook.test.v1', status: 'pending' },
  ])
  expect((await call('POST', `/v1/webhooks/${newId()}/test`)).statusCode).toBe(404)
})

test('one that is off is sent no test, and whoever asks is told', async () => {
  const { id } = await create()
  await call('PATCH', `/v1/webhooks/${id}`, { enabled: false })

  const refused = await call('POST', `/v1/webhooks/${id}/test`)

  expect(refused.statusCode).toBe(409)
  expect(refused.json().detail).toBe('The webhook is off: switch it on.')
  expect(await prisma.webhookDelivery.count({ where: { webhookId: id } })).toBe(0)
})
