import type { ServerResponse } from 'node:http'
import { StationSocket } from '@busbar/simulator'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
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

interface Hook {
  id: string
  secret: string
}
const subscribe = (eventTypes: string[]) =>
  system.api.expect<Hook>('POST', '/webhooks', { name: 'test', url: receiver.url, eventTypes })
const typeOf = ({ body }: Received) => (JSON.parse(body) as { type: string }).type
const receivedOf = (type: string) => receiver.received.filter((each) => typeOf(each) === type)

async function connect(id: string): Promise<StationSocket> {
  const socket = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
  await socket.call('BootNotification', { chargePointVendor: 'Busbar', chargePointModel: 'Test' })
  return socket
}

test('a delivery in whose midst the process is killed is made again, with the same id and a good signature', async () => {
  const { id, secret } = await subscribe(['busbar.station.booted.v1'])
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
    const list = await system.api.get<{ items: { status: string; lastStatus: number }[] }>(`/webhooks/${id}/deliveries`)
    return list.items[0]?.status === 'delivered' && list
  })
  expect(items).toMatchObject([{ eventType: 'busbar.station.booted.v1', lastStatus: 200 }])
  await system.api.expect('DELETE', `/webhooks/${id}`)
  await system.api.expect('DELETE', '/stations/KILLED')
  socket.close()
}, 120_000)

test('an address that may not be called is refused in words', async () => {
  const url = 'http://169.254.169.254/latest/meta-data/'
  const refused = await system.api.request('POST', '/webhooks', { name: 'metadata', url })
  expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer: '/url' }] } })
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

  interface Alert {
    id: string
    kind: string
    stationId: string
  }
  const open = async () => (await system.api.get<{ items: Alert[] }>('/alerts?open=true')).items
  const kinds = async () => (await open()).map(({ kind, stationId }) => `${kind} ${stationId}`).sort()
  await until('three alerts', async () => (await open()).length >= 3, 110_000)
  expect(await kinds()).toEqual(['faulted FAULTED', 'offline GONE', 'refused TRIED'])

  const [alert] = (await open()).filter(({ kind }) => kind === 'offline')
  await system.api.expect('POST', `/alerts/${alert?.id}/acknowledge`, { note: 'seen' })
  await connect('GONE')
  await status('Available')
  await connect('TRIED')
  await until('none is open', async () => (await open()).length === 0, 60_000)

  await until('all were told', () => receivedOf('busbar.alert.cleared.v1').length === 3)
  for (const type of ['busbar.alert.raised.v1', 'busbar.alert.cleared.v1']) {
    const told = receivedOf(type).map(({ body }) => (JSON.parse(body) as { data: Alert }).data.kind)
    expect(told.sort(), type).toEqual(['faulted', 'offline', 'refused'])
  }
  expect(await system.api.get(`/alerts/${alert?.id}`)).toMatchObject({
    clearedAt: expect.any(String),
    acknowledged: { note: 'seen' },
  })
}, 240_000)
