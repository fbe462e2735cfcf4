import type { ServerResponse } from 'node:http'
import { StationSocket } from '@busbar/simulator'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { must } from '../support/api-client.js'
import { AsyncApiCheck } from '../support/asyncapi-check.js'
import { type Received, startReceiver } from '../support/receiver.js'
import { type System, startEmbedded, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
let system: System
let receiver: Awaited<ReturnType<typeof startReceiver>>
let answer = (_: Received, response: ServerResponse): unknown => response.writeHead(204).end()

beforeAll(async () => {
  receiver = await startReceiver((received, response) => answer(received, response))
  system = await startEmbedded({
    BUSBAR_WEBHOOK_ALLOW: 'http://127.0.0.1:*',
    BUSBAR_WEBHOOK_NETWORKS: '127.0.0.1/32',
    BUSBAR_WEBHOOK_TIMEOUT_SECONDS: '5',
    BUSBAR_ALERT_OFFLINE_MINUTES: '1',
  })
})
afterAll(async () => {
  await system?.stop()
  await receiver?.stop()
})

const subscribe = async (eventTypes: string[]) =>
  must(await system.api.client.POST('/v1/webhooks', { body: { name: 'test', url: receiver.url, eventTypes } }))
const typeOf = ({ body }: Received) => (JSON.parse(body) as { type: string }).type
const receivedOf = (type: string) => receiver.received.filter((each) => typeOf(each) === type)

async function connect(id: string): Promise<StationSocket> {
  const socket = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
  await socket.call('BootNotification', { chargePointVendor: 'Busbar', chargePointModel: 'Test' })
  return socket
}

test('a delivery in whose midst the process is killed is made again, with the same id and a good signature', async () => {
  const { client } = system.api
  const { id, secret } = await subscribe(['busbar.station.booted.v1'])
  const hook = { params: { path: { id } } }
  await system.api.registerStation('KILLED', password)
  answer = () => {}
  const socket = await connect('KILLED')
  const [first] = await until('the first attempt', () => receiver.received.length > 0 && receiver.received)

  const [up] = system.gateways
  up?.signal('SIGKILL')
  await up?.exited
  answer = (_, response) => response.writeHead(200).end()
  await system.restartWorker(0)

  const again = await until('the second attempt', () => receiver.received[1], 60_000)
  expect(again.headers['webhook-id']).toBe(first?.headers['webhook-id'])
  expect(again.body).toBe(first?.body)
  expect(new Webhook(secret).verify(again.body, again.headers as Record<string, string>)).toMatchObject({
    type: 'busbar.station.booted.v1',
    source: '/busbar/stations/KILLED',
  })
  const { items } = await until('the log of it', async () => {
    const list = must(await client.GET('/v1/webhooks/{id}/deliveries', hook))
    return list.items[0]?.status === 'delivered' && list
  })
  expect(items).toMatchObject([{ eventType: 'busbar.station.booted.v1', lastStatus: 200 }])
  must(await client.DELETE('/v1/webhooks/{id}', hook))
  must(await client.DELETE('/v1/stations/{id}', { params: { path: { id: 'KILLED' } } }))
  socket.close()
}, 120_000)

test('an address that may not be called is refused in words', async () => {
  const url = 'http://169.254.169.254/latest/meta-data/'
  const { response, error } = await system.api.client.POST('/v1/webhooks', { body: { name: 'metadata', url } })
  expect(response.status).toBe(422)
  expect(error).toMatchObject({ errors: [{ pointer: '/url' }] })
})

test('what lasts is told of once and over once: in the list, as events, to webhooks', async () => {
  await subscribe(['busbar.alert.*'])
  for (const id of ['GONE', 'FAULTED', 'TRIED']) await system.api.registerStation(id, password)
  const [gone, faulted] = [await connect('GONE'), await connect('FAULTED')]
  gone.close()
  const status = (word: string) =>
    faulted.call('StatusNotification', { connectorId: 1, errorCode: 'GroundFailure', status: word })
  await status('Faulted')
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const wrong = { url: system.urls[0] ?? '', id: 'TRIED', password: 'wrong', protocols: ['ocpp1.6'] }
    await StationSocket.open(wrong).catch(() => null)
  }

  const { client } = system.api
  const open = async () => must(await client.GET('/v1/alerts', { params: { query: { open: 'true' } } })).items
  const kinds = async () => (await open()).map(({ kind, stationId }) => `${kind} ${stationId}`).sort()
  await until('three alerts', async () => (await open()).length >= 3, 110_000)
  expect(await kinds()).toEqual(['faulted FAULTED', 'offline GONE', 'refused TRIED'])

  const [alert] = (await open()).filter(({ kind }) => kind === 'offline')
  const path = { id: alert?.id ?? '' }
  must(await client.POST('/v1/alerts/{id}/acknowledge', { params: { path }, body: { note: 'seen' } }))
  await connect('GONE')
  await status('Available')
  await connect('TRIED')
  await until('none is open', async () => (await open()).length === 0, 60_000)

  await until('all were told', () => receivedOf('busbar.alert.cleared.v1').length === 3)
  for (const type of ['busbar.alert.raised.v1', 'busbar.alert.cleared.v1']) {
    const told = receivedOf(type).map(({ body }) => (JSON.parse(body) as { data: { kind: string } }).data.kind)
    expect(told.sort(), type).toEqual(['faulted', 'offline', 'refused'])
  }
  expect(must(await client.GET('/v1/alerts/{id}', { params: { path } }))).toMatchObject({
    clearedAt: expect.any(String),
    acknowledged: { note: 'seen' },
  })
}, 240_000)

test('all that was told is as the AsyncAPI document says', async () => {
  const { faults, events } = await (await AsyncApiCheck.of(system)).findFaultsIn(system)
  expect(faults).toEqual([])
  expect(events).toEqual(expect.arrayContaining(['alert.raised', 'alert.cleared']))
})
