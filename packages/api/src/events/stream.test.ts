import { request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { cloudEvent, startTestApi, type TestApi } from '../testing.js'

let api: TestApi
let port: number
beforeAll(async () => {
  api = await startTestApi({ config: { eventRingSize: 50, eventHeartbeatMs: 30, keyCacheMs: 1, maxEventStreams: 4 } })
  await api.app.listen({ port: 0, host: '127.0.0.1' })
  port = (api.app.server.address() as AddressInfo).port
})
afterAll(() => api.stop())

interface Message {
  id: string
  event: string
  data: string
}

interface Client {
  messages: Message[]
  text(): string
  ids(): string[]
  closed(): boolean
  pause(): void
  close(): void
}

/** A client of plain HTTP: it reads what an EventSource would. */
async function follow(query = '', options: { lastEventId?: string; key?: string } = {}): Promise<Client> {
  let text = ''
  let closed = false
  const { lastEventId, key = api.keys.viewer } = options
  const socket = request({
    port,
    path: `/v1/events${query}`,
    headers: { authorization: `Bearer ${key}`, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
  })
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    socket.on('response', resolve).on('error', reject).end()
  })
  expect(response.statusCode).toBe(200)
  expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8')
  expect(response.headers['x-content-type-options']).toBe('nosniff')
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    text += chunk
  })
  response.on('error', () => {})
  response.on('close', () => {
    closed = true
  })
  const messages = () => toMessages(text)
  return {
    get messages() {
      return messages()
    },
    text: () => text,
    ids: () => messages().map(({ data }) => JSON.parse(data).id),
    closed: () => closed,
    pause: () => response.pause(),
    close: () => socket.destroy(),
  }
}

function toMessages(text: string): Message[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .map((block) => {
      const lines = block.split('\n')
      const field = (name: string) =>
        lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2))
      return { id: field('id').at(-1) ?? '', event: field('event').at(-1) ?? 'message', data: field('data').join('\n') }
    })
    .filter(({ data }) => data !== '')
}

const publish = (...events: { id: string; type?: string; key?: string; partition?: number }[]) =>
  api.publishEvents(
    events.map(({ id, type = 'transaction.started', key = 'CS-1', partition = 0 }) => ({
      key,
      partition,
      value: Buffer.from(cloudEvent(type, id)),
    })),
  )

test('events come as they happen, filtered by station and type', async () => {
  const all = await follow()
  const one = await follow('?station=CS-2')
  const typed = await follow('?type=transaction.ended,busbar.station.booted.v1')

  publish(
    { id: 'a' },
    { id: 'b', key: 'CS-2', partition: 1 },
    { id: 'c', type: 'transaction.ended' },
    { id: 'd', type: 'station.booted' },
  )

  await vi.waitFor(() => expect(all.ids()).toEqual(['a', 'b', 'c', 'd']))
  await vi.waitFor(() => expect(one.ids()).toEqual(['b']))
  await vi.waitFor(() => expect(typed.ids()).toEqual(['c', 'd']))
  for (const client of [all, one, typed]) client.close()
})

test('events of a group are those of its stations, of the moment', async () => {
  const create = async (url: string, payload: object) =>
    (await api.request('operator', { method: 'POST', url, payload })).json()
  for (const id of ['G-1', 'G-2']) await create('/v1/stations', { id, protocols: ['ocpp1.6'] })
  const { id: group } = await create('/v1/station-groups', { name: 'North' })
  const join = (stationId: string) =>
    api.database.prisma.stationGroupMember.create({ data: { groupId: group, stationId } })
  await join('G-1')
  const client = await follow(`?group=${group}`)

  publish({ id: 'g1', key: 'G-1' }, { id: 'g2', key: 'G-2' }, { id: 'g3', key: 'CS-1' })
  await vi.waitFor(() => expect(client.ids()).toEqual(['g1']))
  await join('G-2')
  await vi.waitFor(() => {
    publish({ id: 'g4', key: 'G-2' })
    expect(client.ids()).toContain('g4')
  })

  client.close()
  const nowhere = await api.request('viewer', { url: '/v1/events?group=00000000-0000-7000-8000-000000000000' })
  expect(nowhere.statusCode).toBe(404)
})

test('a client that comes back goes on where it was', async () => {
  const before = await follow()
  publish({ id: 'r1' }, { id: 'r2', partition: 1 })
  await vi.waitFor(() => expect(before.ids()).toEqual(['r1', 'r2']))
  const lastEventId = before.messages[0]?.id ?? ''
  before.close()
  publish({ id: 'r3' })

  const after = await follow('', { lastEventId })

  await vi.waitFor(() => expect(after.ids()).toEqual(['r2', 'r3']))
  after.close()
})

test('the ids that a client is given when it comes back are never behind the one it came with', async () => {
  const before = await follow()
  publish({ id: 'v1' }, { id: 'v2', partition: 1 }, { id: 'v3' })
  await vi.waitFor(() => expect(before.ids()).toEqual(['v1', 'v2', 'v3']))
  const offsets = (message?: Message) =>
    new Map((message?.id ?? '').split(',').map((pair) => pair.split(':') as [string, string]))
  const [first, , last] = before.messages.map(offsets)
  before.close()

  // As another process had read them: all of partition 0, and nothing of partition 1.
  const after = await follow('', { lastEventId: `0:${last?.get('0')},1:${first?.get('1') ?? 0}` })
  await vi.waitFor(() => expect(after.ids()).toEqual(['v2']))
  const given = offsets(after.messages[0])
  expect([given.get('0'), given.get('1')]).toEqual([last?.get('0'), last?.get('1')])
  publish({ id: 'v4' })
  await vi.waitFor(() => expect(after.ids()).toEqual(['v2', 'v4']))
  after.close()
})

test('a new client is told where it stands, so that it misses nothing if it is cut off before the first event', async () => {
  publish({ id: 'n1' })
  const client = await follow('?station=CS-quiet')
  await vi.waitFor(() => expect(client.text()).toMatch(/id: \S+/))
  const lastEventId = /id: (\S+)/.exec(client.text())?.[1] ?? ''
  client.close()
  publish({ id: 'n2' })

  const again = await follow('', { lastEventId })

  await vi.waitFor(() => expect(again.ids()).toEqual(['n2']))
  again.close()
})

test.each(['0:0', 'nonsense', '99:5'])(
  'the id %s is too old or unknown: one reset, then what happens',
  async (lastEventId) => {
    for (let count = 0; count < 60; count += 1) publish({ id: `old-${count}` })
    const client = await follow('', { lastEventId })
    publish({ id: 'now' })

    await vi.waitFor(() => expect(client.messages).toHaveLength(2))
    expect(client.messages[0]).toMatchObject({ event: 'reset', data: '{}' })
    expect(JSON.parse(client.messages[1]?.data ?? '')).toMatchObject({ id: 'now' })
    client.close()
  },
)

test('a quiet stream says that it lives', async () => {
  const client = await follow('?station=CS-quiet')

  await vi.waitFor(() => expect(client.text().match(/: still here/g)?.length).toBeGreaterThan(1))
  client.close()
})

test('an event of several lines, and one that is no event', async () => {
  const client = await follow()
  const value = Buffer.from('{\n  "id": "lines",\n  "type": "busbar.x.v1"\n}')
  api.publishEvents([{ value: Buffer.from('no json') }, { value: Buffer.from('[]') }, { value }])

  await vi.waitFor(() => expect(client.ids()).toEqual(['lines']))
  expect((await api.app.inject('/metrics')).body).toContain('busbar_api_events_unreadable_total 2')
  client.close()
})

test('a client that reads too slowly is cut off, its neighbour is not', async () => {
  const slow = await follow()
  const quick = await follow()
  slow.pause()
  const padding = 'x'.repeat(200_000)

  for (let count = 0; count < 200; count += 1) {
    publish({ id: `${count}-${padding}` })
    await new Promise((resolve) => setImmediate(resolve))
  }

  await vi.waitFor(async () =>
    expect((await api.app.inject('/metrics')).body).toContain('busbar_api_event_clients_dropped_total 1'),
  )
  publish({ id: 'still there' })
  await vi.waitFor(() => expect(quick.ids().at(-1)).toBe('still there'))
  quick.close()
  slow.close()
})

test('a revoked key ends its stream', async () => {
  const { id, key } = (
    await api.request('admin', { method: 'POST', url: '/v1/api-keys', payload: { name: 'x', role: 'viewer' } })
  ).json()
  const client = await follow('', { key })

  await api.request('admin', { method: 'DELETE', url: `/v1/api-keys/${id}` })

  await vi.waitFor(() => expect(client.closed()).toBe(true))
})

test('a client that hangs up before it is served takes no place', async () => {
  await vi.waitFor(async () => expect((await api.app.inject('/metrics')).body).toContain('busbar_api_event_clients 0'))
  const hungUp = new Promise<void>((resolve) => {
    api.app.server.once('connection', (socket) => socket.once('close', () => resolve()))
  })
  const lookUp = vi.spyOn(api.database.prisma.stationGroup, 'findUnique')
  lookUp.mockImplementation((() => hungUp.then(() => ({ members: [] }))) as never)
  const client = connect(port, '127.0.0.1')
  const group = '01932f6e-0a1b-7c3d-8e4f-5a6b7c8d9e0f'
  client.write(`GET /v1/events?group=${group} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.keys.viewer}\r\n\r\n`)

  await vi.waitFor(() => expect(lookUp).toHaveBeenCalled())
  client.destroy()

  await hungUp
  await new Promise((resolve) => setImmediate(resolve))
  lookUp.mockRestore()
  expect((await api.app.inject('/metrics')).body).toContain('busbar_api_event_clients 0')
})

test('so many clients and no more', async () => {
  await vi.waitFor(async () => expect((await api.app.inject('/metrics')).body).toContain('busbar_api_event_clients 0'))
  const clients = await Promise.all([1, 2, 3, 4].map(() => follow()))

  const response = await api.request('viewer', { url: '/v1/events' })

  expect(response.statusCode).toBe(503)
  expect(response.headers['retry-after']).toBe('30')
  for (const client of clients) client.close()
})

test('a stop ends the streams', async () => {
  await vi.waitFor(async () => expect((await api.app.inject('/metrics')).body).toContain('busbar_api_event_clients 0'))
  const client = await follow()

  await api.app.close()

  await vi.waitFor(() => expect(client.closed()).toBe(true))
})
