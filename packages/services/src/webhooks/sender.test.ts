import { createTestDatabase, type Database, newId, openDatabase, type TestDatabase, Vault } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Received, startReceiver } from '../../../../test/support/receiver.js'
import { Egress } from './egress.js'
import { createWebhookIntake } from './intake.js'
import { WebhookSender } from './sender.js'
import { createWebhookSecret } from './signature.js'

const vault = new Vault('a master secret for tests only')
const egress = new Egress({ origins: ['http://127.0.0.1:*'], networks: ['127.0.0.0/8'] })
const secret = createWebhookSecret()
const log = pino({ level: 'silent' })

let store: TestDatabase
const stops: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  store = await createTestDatabase()
})
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
  await store.database.query({ text: 'TRUNCATE webhook, webhook_state, webhook_delivery, job', values: [] })
})
afterAll(() => store.drop())

/** @param timeoutMs by default what operators have: on a busy machine nothing is given up that a test counts */
function startSender(database: Database = store.database, timeoutMs = 10_000): WebhookSender {
  const options = { egress, timeoutMs, disableAfterMs: 3_600_000 }
  const sender = new WebhookSender({ database, vault, log, metrics: new Registry() }, options)
  stops.push(() => sender.stop())
  return sender
}

async function receiving(answer?: Parameters<typeof startReceiver>[0]) {
  const receiver = await startReceiver(answer)
  stops.push(receiver.stop)
  return receiver
}

async function addWebhook(url: string, rest: object = {}): Promise<string> {
  const id = newId()
  const data = { id, name: 'billing', url, secret: vault.seal(secret), enabledAt: new Date(), ...rest }
  await store.database.prisma.webhook.create({ data })
  return id
}

async function queue(webhookId: string, count = 1): Promise<void> {
  const now = new Date()
  const data = Array.from({ length: count }, (_, index) => ({
    ...{ id: newId(), webhookId, eventId: newId(), eventType: 'busbar.station.booted.v1', status: 'pending' },
    ...{ body: Buffer.from(JSON.stringify({ index })), createdAt: now, dueAt: now },
    expiresAt: new Date(now.getTime() + 86_400_000),
  }))
  await store.database.prisma.webhookDelivery.createMany({ data })
}

const rows = () => store.database.prisma.webhookDelivery.findMany({ orderBy: { id: 'asc' } })
const attemptsOf = (row: { attempts: unknown } | undefined) => row?.attempts as { status: number; error: string }[]
const untilDone = (count: number) =>
  expect
    .poll(async () => (await rows()).filter(({ status }) => status === 'delivered').length, { timeout: 20_000 })
    .toBe(count)
const makeDue = () =>
  store.database.prisma.webhookDelivery.updateMany({ where: { dueAt: { not: null } }, data: { dueAt: new Date() } })

test('what is due is sent, signed, as it was written, and never again', async () => {
  const receiver = await receiving()
  await queue(await addWebhook(receiver.url), 100)
  startSender().poke()
  startSender().poke()
  await untilDone(100)

  const ids = receiver.received.map(({ headers }) => headers['webhook-id'])
  expect(new Set(ids).size).toBe(100)
  expect(ids).toHaveLength(100)
  const [first] = receiver.received
  expect(first?.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
  expect(new Webhook(secret).verify(first?.body ?? '', (first?.headers ?? {}) as Record<string, string>)).toBeDefined()
  expect(attemptsOf((await rows())[0])).toMatchObject([{ status: 204, error: null, durationMs: expect.any(Number) }])
})

test('while a secret is being changed both sign; once its time is over the old one does no more', async () => {
  const old = createWebhookSecret()
  const receiver = await receiving()
  const previous = { previousSecret: vault.seal(old), previousSecretUntil: new Date(Date.now() + 60_000) }
  const id = await addWebhook(receiver.url, previous)
  await queue(id)
  const sender = startSender()
  sender.poke()
  await untilDone(1)
  await store.database.prisma.webhook.update({ where: { id }, data: { previousSecretUntil: new Date() } })
  await queue(id)
  sender.poke()
  await untilDone(2)

  const verify = (key: string, { body, headers }: Received) =>
    new Webhook(key).verify(body, headers as Record<string, string>)
  const [during, after] = receiver.received
  if (!during || !after) throw new Error('not received')
  for (const key of [old, secret]) expect(verify(key, during)).toBeDefined()
  expect(verify(secret, after)).toBeDefined()
  expect(() => verify(old, after)).toThrow()
})

test('a failure is tried again later, told in the log, and forgotten once it went well', async () => {
  const answers = [500, 302, 404]
  const receiver = await receiving((_, response) => response.writeHead(answers.shift() ?? 200).end())
  const id = await addWebhook(receiver.url)
  await queue(id)
  const sender = startSender()
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    sender.poke()
    await expect.poll(async () => attemptsOf((await rows())[0])).toHaveLength(attempt)
    const [row] = await rows()
    expect(row?.status).toBe('pending')
    expect((row?.dueAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(1_000 * 2 ** (attempt - 1))
    expect(await store.database.prisma.webhookState.findMany()).toMatchObject([{ failingSince: expect.any(Date) }])
    await makeDue()
  }
  expect(await store.database.prisma.job.findMany()).toMatchObject([
    { service: 'notifications', kind: 'webhook-look', key: id },
  ])
  sender.poke()
  await untilDone(1)
  expect(attemptsOf((await rows())[0]).map(({ status }) => status)).toEqual([500, 302, 404, 200])
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  expect(await store.database.prisma.webhookState.findMany()).toMatchObject([{ failingSince: null }])
})

test('after its 24 hours a delivery is given up', async () => {
  const receiver = await receiving((_, response) => response.writeHead(503).end())
  await queue(await addWebhook(receiver.url))
  await store.database.prisma.webhookDelivery.updateMany({ data: { expiresAt: new Date(Date.now() + 100) } })
  startSender().poke()
  await expect.poll(async () => (await rows())[0]?.status).toBe('failed')
  expect((await rows())[0]?.dueAt).toBeNull()
})

test('one that hangs holds up nobody else, and has one attempt under way once it fails', async () => {
  let underWay = 0
  let most = 0
  const hanging = await receiving((_, response) => {
    underWay += 1
    most = Math.max(most, underWay)
    response.once('close', () => {
      underWay -= 1
    })
  })
  const receiver = await receiving()
  const slow = await addWebhook(hanging.url)
  await store.database.prisma.webhookState.create({ data: { webhookId: slow, failingSince: new Date() } })
  await queue(slow, 50)
  await queue(await addWebhook(receiver.url), 50)
  startSender(store.database, 3_000).poke()
  await untilDone(50)
  expect(receiver.received).toHaveLength(50)
  expect(most).toBe(1)
})

test('a delivery whose sender is gone in its midst is made by another', async () => {
  let answer = false
  const receiver = await receiving((_, response) => (answer ? response.writeHead(200).end() : undefined))
  await queue(await addWebhook(receiver.url))
  const first = openDatabase({ url: store.url, poolSize: 2, statementTimeoutMs: 1_000 })
  startSender(first, 300).poke()
  await expect.poll(() => receiver.received.length).toBe(1)
  // As if its process were gone: nothing it finds out is written.
  await first.close()
  answer = true
  await makeDue()
  startSender().poke()
  await untilDone(1)
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  expect(receiver.received.length).toBeGreaterThan(1)
})

test('nothing is sent for a webhook that is off, given up or gone; switched on again it gets what it missed', async () => {
  const receiver = await receiving()
  const off = await addWebhook(`${receiver.url}/off`, { enabled: false })
  const givenUp = await addWebhook(`${receiver.url}/given-up`, { enabledAt: new Date(Date.now() - 60_000) })
  await store.database.prisma.webhookState.create({ data: { webhookId: givenUp, disabledAt: new Date() } })
  await queue(off)
  await queue(givenUp)
  await queue(newId())
  await queue(await addWebhook(receiver.url))
  const sender = startSender()
  sender.poke()
  await untilDone(1)
  expect(receiver.received.map(({ path }) => path)).toEqual(['/hook'])

  await store.database.prisma.webhook.update({ where: { id: givenUp }, data: { enabledAt: new Date() } })
  sender.poke()
  await untilDone(2)
  expect(receiver.received.map(({ path }) => path)).toEqual(['/hook', '/hook/given-up'])
})

test('an operator sends again what was delivered, and a test', async () => {
  const receiver = await receiving()
  const id = await addWebhook(receiver.url)
  await queue(id)
  const sender = startSender()
  sender.poke()
  await untilDone(1)
  const intake = createWebhookIntake({ vault, egress })
  const [row] = await rows()
  await store.database.commit([intake.resend(id, row?.id ?? ''), intake.test(id).statement])
  sender.poke()
  await expect.poll(() => receiver.received.length).toBe(3)
  await untilDone(2)

  const [first, ...others] = receiver.received
  expect(others.map(({ headers }) => headers['webhook-id'])).toContain(first?.headers['webhook-id'])
  expect(others.map(({ body }) => JSON.parse(body).type)).toContain('busbar.webhook.test.v1')
  expect(attemptsOf((await rows())[0])).toHaveLength(2)
})
