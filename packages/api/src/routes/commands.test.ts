import { verdictsChannel } from '@busbar/backbone'
import { newId } from '@busbar/store'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  for (const id of ['CS-1', 'CS-new']) {
    await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id } })
  }
  await api.database.prisma.stationState.create({ data: { stationId: 'CS-1', protocol: 'ocpp1.6', online: true } })
})
afterAll(() => api.stop())

const reset = { action: 'Reset', payload: { type: 'Soft' } }

const send = ({ station = 'CS-1', wait = 0, key = newId(), payload = reset as object } = {}) =>
  api.request('operator', {
    method: 'POST',
    url: `/v1/stations/${station}/commands?wait=${wait}`,
    headers: { 'idempotency-key': key },
    payload,
  })

/** What the last caller's command is called, once it is recorded. */
const recorded = (before: readonly string[]) =>
  vi.waitUntil(async () => {
    const [row] = await api.database.prisma.command.findMany({ where: { id: { notIn: [...before] } } })
    return row?.id
  })
const allIds = async () => (await api.database.prisma.command.findMany({ select: { id: true } })).map(({ id }) => id)

const tell = (commandId: string, status: string) =>
  api.channels.publish([
    {
      channel: verdictsChannel,
      message: {
        kind: 'verdicts',
        verdicts: [
          { commandId: newId(), status: 'rejected', response: null, error: null },
          { commandId, status, response: { status: 'Accepted' }, error: null },
        ],
      },
    },
  ])

/** As the commands service does: first the row, then the word. */
const conclude = async (id: string) => {
  await api.database.prisma.command.update({
    where: { id },
    data: { status: 'accepted', response: { status: 'Accepted' } },
  })
  await tell(id, 'accepted')
}

test('a command is recorded with its audit entry, and the outbox is sent', async () => {
  const pokes = api.pokes()

  const response = await send()

  const { id } = response.json()
  expect(response.statusCode).toBe(202)
  expect(response.headers.location).toBe(`/v1/commands/${id}`)
  expect(response.json()).toMatchObject({ stationId: 'CS-1', action: 'Reset', status: 'queued', response: null })
  expect(api.pokes()).toBe(pokes + 1)
  expect(await api.database.prisma.auditEntry.findMany({ where: { targetId: id } })).toMatchObject([
    { action: 'command.send', actor: expect.stringMatching(/^operator\//) },
  ])
  expect((await api.request('viewer', { url: `/v1/commands/${id}` })).json()).toMatchObject({
    id,
    protocol: 'ocpp1.6',
    payload: { type: 'Soft' },
    followUp: 'none',
    calls: [],
  })
})

test('a caller that waits gets the verdict out of the books while the channels are away', async () => {
  const before = await allIds()
  api.channels.isAvailable = false
  const pending = send({ wait: 30 })
  const id = await recorded(before)
  await api.database.prisma.command.update({ where: { id }, data: { status: 'undeliverable' } })

  const response = await pending
  expect(response.statusCode).toBe(200)
  expect(response.json()).toMatchObject({ id, status: 'undeliverable' })
  api.channels.isAvailable = true
})

test('all who wait look into the books with one query', async () => {
  const before = await allIds()
  const pending = [send({ wait: 30 }), send({ wait: 30 }), send({ wait: 30 })]
  const ids = await vi.waitUntil(async () => {
    const news = (await allIds()).filter((id) => !before.includes(id))
    return news.length === pending.length && news
  })
  const query = vi.spyOn(api.database, 'query')
  api.channels.isAvailable = false
  const looks = () =>
    query.mock.calls.filter(([{ text }]) => text.includes('FROM command WHERE id')).map(([sql]) => sql)
  const [look] = await vi.waitUntil(() => looks().length > 0 && looks())
  api.channels.isAvailable = true
  query.mockRestore()
  for (const id of ids) await conclude(id)

  expect(look?.values).toEqual([expect.arrayContaining(ids)])
  expect((await Promise.all(pending)).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200])
})

test('a verdict that passed while the channels were away is found in the books when they are back', async () => {
  const before = await allIds()
  const pending = send({ wait: 30 })
  const id = await recorded(before)
  const query = vi.spyOn(api.database, 'query')
  api.channels.isAvailable = false
  await vi.waitUntil(() => query.mock.calls.length > 0)
  await api.database.prisma.command.update({ where: { id }, data: { status: 'expired' } })
  api.channels.isAvailable = true
  query.mockRestore()

  expect((await pending).json()).toMatchObject({ id, status: 'expired' })
})

test('a caller that waits gets the verdict', async () => {
  const before = await allIds()
  const pending = send({ wait: 30 })
  await conclude(await recorded(before))
  const response = await pending

  expect(response.statusCode).toBe(200)
  expect(response.json()).toMatchObject({ status: 'accepted', response: { status: 'Accepted' }, error: null })
})

test('a verdict that is faster than the answer of Postgres is not lost', async () => {
  const commit = api.database.commit
  const late = vi.spyOn(api.database, 'commit').mockImplementationOnce(async (statements) => {
    const rows = await commit(statements)
    const [inserted = []] = rows
    for (const { id } of inserted as { id: string }[]) await tell(id, 'undeliverable')
    return rows
  })

  const response = await send({ wait: 30 })

  expect(response.statusCode).toBe(200)
  expect(response.json()).toMatchObject({ status: 'undeliverable' })
  late.mockRestore()
})

test('a caller whose time runs out gets the command as it stands', async () => {
  const response = await send({ wait: 0.05 })

  expect(response.statusCode).toBe(202)
  expect(response.json()).toMatchObject({ status: 'queued' })
})

test('the same key with the same request is one command; with another it is refused', async () => {
  const key = newId()
  const [first, second] = await Promise.all([send({ key }), send({ key })])
  const other = await send({ key, payload: { action: 'Reset', payload: { type: 'Hard' } } })

  expect(first.statusCode).toBe(202)
  expect(second.json().id).toBe(first.json().id)
  expect(other.statusCode).toBe(409)
  expect(other.json().errors).toEqual([
    { detail: expect.stringContaining(first.json().id), parameter: 'idempotency-key' },
  ])
  expect(await api.database.prisma.auditEntry.count({ where: { targetId: first.json().id } })).toBe(1)
})

test('commands that come at once share a commit, and each caller gets its own', async () => {
  const commit = vi.spyOn(api.database, 'commit')
  const key = newId()
  const responses = await Promise.all([send(), send(), send({ key }), send({ key })])
  const commits = commit.mock.calls.length
  commit.mockRestore()

  const ids = responses.map((response) => response.json().id)
  expect(responses.map(({ statusCode }) => statusCode)).toEqual([202, 202, 202, 202])
  expect(new Set(ids).size).toBe(3)
  expect(ids[3]).toBe(ids[2])
  expect(await api.database.prisma.auditEntry.count({ where: { targetId: { in: ids } } })).toBe(3)
  expect(commits).toBe(1)
})

test('a repeated request waits for the verdict of the first, or gets it at once', async () => {
  const key = newId()
  const { id } = (await send({ key })).json()
  const query = vi.spyOn(api.database, 'query')
  const pending = send({ key, wait: 30 })
  await vi.waitUntil(() => query.mock.calls.length > 1)
  query.mockRestore()
  await conclude(id)

  expect((await pending).json()).toMatchObject({ id, status: 'accepted' })
  expect((await send({ key, wait: 30 })).json()).toMatchObject({ id, status: 'accepted' })
})

test.each([
  ['an unknown station', { station: 'CS-nobody' }, 404],
  ['a station whose version nobody knows yet', { station: 'CS-new' }, 409],
  ['an action we do not send', { payload: { action: 'Explode', payload: {} } }, 422],
  ['no action', { payload: {} }, 400],
  ['a wait beyond a minute', { wait: 61 }, 400],
] as const)('%s', async (_, request, status) => {
  const count = await api.database.prisma.command.count()

  expect((await send(request)).statusCode).toBe(status)
  expect(await api.database.prisma.command.count()).toBe(count)
})

test('a station that comes for the first time is commanded in the version its gateway knows', async () => {
  api.connected.set('CS-new', 'ocpp1.6')

  expect((await send({ station: 'CS-new' })).statusCode).toBe(202)
  expect(await api.database.prisma.command.findFirst({ where: { stationId: 'CS-new' } })).toMatchObject({
    protocol: 'ocpp1.6',
  })
  api.connected.delete('CS-new')
})

test('what a station would not understand is told by its place in the body', async () => {
  const response = await send({ payload: { action: 'Explode', payload: {} } })

  expect(response.json().errors).toEqual([{ detail: expect.stringContaining('Explode'), pointer: '/payload' }])
})

test('a station that is connected but not registered can be commanded', async () => {
  await api.database.prisma.stationState.create({
    data: { stationId: 'CS-dev', protocol: 'ocpp2.0.1', online: true },
  })

  expect((await send({ station: 'CS-dev' })).statusCode).toBe(202)
})

test('sealed values are masked', async () => {
  const { id } = (await send()).json()
  const payload = { key: 'AuthorizationKey', value: 'sealed:v1:AAAA' }
  await api.database.prisma.command.update({ where: { id }, data: { payload, calls: [{ payload }] } })

  const response = await api.request('viewer', { url: `/v1/commands/${id}` })

  expect(response.body).not.toContain('sealed:')
  expect(response.json()).toMatchObject({ payload: { value: '***' }, calls: [{ payload: { value: '***' } }] })
})

test("a station's commands page, newest first", async () => {
  await api.request('operator', {
    method: 'POST',
    url: '/v1/stations',
    payload: { id: 'CS-many', protocols: ['ocpp1.6'] },
  })
  const sent = []
  for (let count = 0; count < 3; count += 1) sent.unshift((await send({ station: 'CS-many' })).json().id)
  const list = async (query: string) =>
    (await api.request('viewer', { url: `/v1/stations/CS-many/commands?${query}` })).json()

  const first = await list('limit=2')
  const second = await list(`limit=2&cursor=${first.nextCursor}`)

  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(sent)
  expect(second.nextCursor).toBeNull()
})

test('a stop ends the waits', async () => {
  const stopping = await startTestApi()
  const payload = { id: 'CS-1', protocols: ['ocpp1.6'] }
  await stopping.request('operator', { method: 'POST', url: '/v1/stations', payload })
  const pending = stopping.request('operator', {
    method: 'POST',
    url: '/v1/stations/CS-1/commands?wait=60',
    payload: reset,
  })
  await vi.waitFor(() => expect(stopping.pokes()).toBe(1))

  await stopping.app.close()

  expect((await pending).statusCode).toBe(202)
  await stopping.stop()
})
