import { createTestDatabase, newId, type TestDatabase } from '@busbar/store'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { decidePart } from '../pipeline/parts.js'
import type { InboundRecord } from '../pipeline/service.js'
import { decisionContext, logRecord, now, placedRecord } from '../pipeline/testing.js'
import { createWebhooksPart, wants } from './part.js'

const hourMs = 3_600_000
const part = createWebhooksPart({ disableAfterMs: 72 * hourMs, onCommitted: () => {} })
const ago = (ms: number) => new Date(now.getTime() - ms)

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())
afterEach(async () => {
  await store.database.query({ text: 'TRUNCATE webhook, webhook_state, webhook_delivery, job', values: [] })
})

async function addWebhook(rest: object = {}): Promise<string> {
  const id = newId()
  const url = 'https://hooks.example.com'
  await store.database.prisma.webhook.create({
    data: { id, name: 'billing', url, secret: 'sealed', enabledAt: ago(hourMs), ...rest },
  })
  return id
}

function event(type: string, id = newId()) {
  const payload = { specversion: '1.0', id, type: `busbar.${type}.v1`, data: {} }
  const value = Buffer.from(JSON.stringify(payload))
  return { ...placedRecord({ type: 'event', payload }, {}), record: logRecord({ value, appendedAt: now }) }
}

/** As the sweep brings it, a little later. */
const look = (key: string, at = 60) =>
  placedRecord({ type: 'due', stationId: key, payload: { kind: 'webhook-look', key } }, { at })

async function play(...records: InboundRecord[]) {
  const state = await part.load(store.database, records, new Date())
  const decisions = records.map((each) => decidePart(part, each, state, decisionContext(each, { newId })))
  await store.database.commit(part.save(state))
  return decisions
}

const deliveries = () => store.database.prisma.webhookDelivery.findMany({ orderBy: { id: 'asc' } })

test.each([
  [[], 'busbar.station.booted.v1', true],
  [['busbar.station.booted.v1'], 'busbar.station.booted.v1', true],
  [['busbar.station.*'], 'busbar.station.booted.v1', true],
  [['busbar.*'], 'busbar.station.booted.v1', true],
  [['busbar.station.*'], 'busbar.stationary.v1', false],
  [['busbar.station.booted.v1'], 'busbar.station.booted.v2', false],
  [['busbar.alert.*', 'busbar.transaction.ended.v1'], 'busbar.transaction.started.v1', false],
])('a webhook for %j and %s', (eventTypes, type, expected) => expect(wants(eventTypes, type)).toBe(expected))

test('each webhook that wants an event gets it once, however often it comes', async () => {
  const all = await addWebhook()
  const few = await addWebhook({ eventTypes: ['busbar.transaction.*'] })
  const [booted, ended] = [event('station.booted'), event('transaction.ended')]

  await play(booted, ended, booted)
  await play(ended)

  const rows = (await deliveries()).map(({ webhookId, eventType, status }) => ({ webhookId, eventType, status }))
  // Ids made within a millisecond have no order.
  expect(rows).toHaveLength(3)
  expect(rows).toEqual(
    expect.arrayContaining([
      { webhookId: all, eventType: 'busbar.station.booted.v1', status: 'pending' },
      { webhookId: all, eventType: 'busbar.transaction.ended.v1', status: 'pending' },
      { webhookId: few, eventType: 'busbar.transaction.ended.v1', status: 'pending' },
    ]),
  )
  const told = (await deliveries()).find(({ eventType }) => eventType === 'busbar.station.booted.v1')
  expect(Buffer.from(told?.body ?? []).toString()).toBe(booted.record.value.toString())
})

test('what happened before a webhook was there, while it is off, or after it was given up, is none of its', async () => {
  await addWebhook({ enabledAt: new Date(now.getTime() + 1) })
  await addWebhook({ enabled: false })
  const givenUp = await addWebhook()
  await store.database.prisma.webhookState.create({ data: { webhookId: givenUp, disabledAt: ago(60_000) } })

  await play(event('station.booted'))

  expect(await deliveries()).toEqual([])
})

test('a record that is no event of ours does not stop the others', async () => {
  await addWebhook()
  await play(placedRecord({ type: 'event', payload: { data: {} } }, {}), event('station.booted'))
  expect(await deliveries()).toHaveLength(1)
})

test('a webhook that failed for three days is given up, once, and says so', async () => {
  const id = await addWebhook({ enabledAt: ago(90 * hourMs) })
  await store.database.prisma.webhookState.create({ data: { webhookId: id, failingSince: ago(72 * hourMs) } })

  const first = await play(look(id))
  const again = await play(look(id))

  expect(first[0]?.events).toMatchObject([
    { type: 'webhook.disabled', subject: `webhook/${id}`, data: { webhookId: id } },
  ])
  expect(first[0]?.jobs).toMatchObject({ put: [], remove: [{ kind: 'webhook-look', key: id }] })
  expect(again.flatMap(({ events = [] }) => events)).toEqual([])
  expect(await store.database.prisma.webhookState.findMany()).toMatchObject([{ disabledAt: expect.any(Date) }])
})

test('one that has failed for less is looked at again when the time is over, one that works no more', async () => {
  const id = await addWebhook()
  const failingSince = ago(71 * hourMs)
  await store.database.prisma.webhookState.create({ data: { webhookId: id, failingSince } })
  const dueAt = new Date(failingSince.getTime() + 72 * hourMs)
  expect((await play(look(id)))[0]).toEqual({ jobs: { put: [expect.objectContaining({ dueAt })], remove: [] } })

  await store.database.prisma.webhookState.update({ where: { webhookId: id }, data: { failingSince: null } })
  expect((await play(look(id)))[0]?.jobs).toMatchObject({ put: [], remove: [{ key: id }] })
})

test('switched on again it begins anew; deleted it is forgotten', async () => {
  const id = await addWebhook({ enabledAt: now })
  const state = { webhookId: id, failingSince: ago(80 * hourMs), disabledAt: ago(hourMs) }
  await store.database.prisma.webhookState.create({ data: state })
  expect((await play(look(id)))[0]?.events).toMatchObject([{ type: 'webhook.enabled' }])
  expect(await store.database.prisma.webhookState.findMany()).toEqual([])

  await store.database.prisma.webhook.delete({ where: { id } })
  expect((await play(look(id)))[0]?.events).toMatchObject([{ type: 'webhook.deleted' }])
})
