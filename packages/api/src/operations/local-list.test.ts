import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  for (const id of ['CS-1', 'CS-2']) {
    await request('POST', '/v1/stations', { id })
    await api.database.prisma.stationState.create({ data: { stationId: id, protocol: 'ocpp1.6' } })
  }
  await request('POST', '/v1/token-groups', { id: 'FLEET' })
  for (const token of [
    { value: 'Card-A', type: 'ISO14443' },
    { value: 'Card-B', type: 'ISO14443', groupId: 'FLEET', expiresAt: '2199-01-01T00:00:00Z' },
    { value: 'Card-C', type: 'ISO14443', status: 'blocked' },
    { value: '1234', type: 'KeyCode' },
    { value: 'a contract of more than 20 characters', type: 'eMAID' },
  ]) {
    await request('POST', '/v1/tokens', token)
  }
})
afterAll(() => api.stop())
beforeEach(async () => {
  const { prisma } = api.database
  await prisma.localListEntry.deleteMany()
  await prisma.localList.deleteMany()
  await prisma.variable.deleteMany()
})

async function request(method: 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object) {
  const response = await api.request('operator', { method, url, ...(payload && { payload }) })
  expect(response.statusCode).toBeLessThan(300)
  return response.statusCode === 204 ? null : response.json()
}

async function send(payload: object) {
  const response = await api.request('operator', { method: 'POST', url: '/v1/stations/CS-1/local-list/send', payload })
  const { id, warnings = [], errors = [], detail } = response.json()
  if (response.statusCode !== 202) return { status: response.statusCode, detail, errors, list: null, warnings }
  const sent = (await api.request('viewer', { url: `/v1/commands/${id}` })).json()
  expect(sent.action).toBe('SendLocalList')
  const { updateType, localAuthorizationList: list, ...rest } = sent.payload
  // The version is drawn when it goes out.
  expect(rest).toEqual({})
  return { status: 202, updateType, list, warnings }
}

const a = { idTag: 'Card-A', idTagInfo: { status: 'Accepted' } }
const b = {
  idTag: 'Card-B',
  idTagInfo: { status: 'Accepted', expiryDate: '2199-01-01T00:00:00.000Z', parentIdTag: 'FLEET' },
}

async function believe(...tags: string[]): Promise<void> {
  const { prisma } = api.database
  await prisma.localList.create({
    data: { stationId: 'CS-1', version: 3, state: 'accepted', known: true, updatedAt: new Date() },
  })
  await prisma.localListEntry.createMany({
    data: tags.map((idTag) => ({ stationId: 'CS-1', foldedTag: idTag.toLowerCase(), idTag, status: 'Accepted' })),
  })
}

async function says(variable: string, value: string): Promise<void> {
  const key = {
    component: '',
    componentKey: '',
    variable,
    variableKey: variable.toLowerCase(),
    attributeType: 'Actual',
  }
  await api.database.prisma.variable.create({ data: { ...key, stationId: 'CS-1', value, updatedAt: new Date() } })
}

test('TC_042: the version is asked for', async () => {
  const { id } = await request('POST', '/v1/stations/CS-1/local-list/version', {})
  const sent = (await api.request('viewer', { url: `/v1/commands/${id}` })).json()
  expect(sent).toMatchObject({ action: 'GetLocalListVersion', payload: {} })
})

test('TC_043_4: a full list is all usable tokens, or those that are named, as they are registered', async () => {
  expect(await send({ mode: 'full' })).toEqual({ status: 202, updateType: 'Full', list: [a, b], warnings: [] })
  expect((await send({ mode: 'full', tokens: ['CARD-b', 'card-B'] })).list).toEqual([b])
  expect(await send({ mode: 'full', tokens: ['Card-A', 'Card-C'] })).toMatchObject({
    list: [a, { idTag: 'Card-C', idTagInfo: { status: 'Blocked' } }],
    warnings: ['Card-C is blocked, and is listed so.'],
  })
  expect((await send({ mode: 'full', tokens: [] })).list).toEqual([])
})

test('TC_043_5: a differential without names is what differs from what the station holds', async () => {
  await believe('Card-A', 'Gone')
  expect(await send({ mode: 'differential' })).toEqual({
    status: 202,
    updateType: 'Differential',
    list: [b, { idTag: 'Gone' }],
    warnings: [],
  })
})

test('a differential puts on and takes off what it names, spelled as it is on the list', async () => {
  await believe('Gone')
  const { list } = await send({ mode: 'differential', tokens: ['card-a'], remove: ['GONE', 'gone', 'Never'] })
  expect(list).toEqual([a, { idTag: 'Gone' }, { idTag: 'Never' }])
})

test.each([
  ['a token that is not registered', { mode: 'full', tokens: ['Card-A', 'nobody'] }, ['/tokens/1']],
  ['a key code', { mode: 'full', tokens: ['1234'] }, ['/tokens/0']],
  ['a token too long for 1.6', { mode: 'full', tokens: ['a contract of more than 20 characters'] }, ['/tokens/0']],
  ['a full list that removes', { mode: 'full', remove: ['Card-A'] }, ['/remove']],
  ['what is put on and taken off', { mode: 'differential', tokens: ['Card-A'], remove: ['CARD-a'] }, ['/remove/0']],
  ['nothing at all', { mode: 'differential', tokens: [], remove: [] }, ['/tokens']],
  ['a difference from a list that nobody knows', { mode: 'differential' }, []],
])('%s is refused with its place, and nothing is sent', async (_, body, pointers) => {
  const before = await api.database.prisma.command.count()
  const { status, errors } = await send(body)
  expect(status).toBe(422)
  expect(errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(pointers)
  expect(await api.database.prisma.command.count()).toBe(before)
})

test('nothing differs: nothing is sent', async () => {
  await believe()
  const { list } = await send({ mode: 'differential' })
  expect(list).toEqual([a, b])
  await api.database.prisma.localListEntry.createMany({
    data: [
      { stationId: 'CS-1', foldedTag: 'card-a', idTag: 'Card-A', status: 'Accepted' },
      {
        ...{ stationId: 'CS-1', foldedTag: 'card-b', idTag: 'Card-B', status: 'Accepted' },
        ...{ parentIdTag: 'FLEET', expiresAt: new Date('2199-01-01T00:00:00Z') },
      },
    ],
  })
  expect((await send({ mode: 'differential' })).status).toBe(422)
})

test('UC16-List-1: no list is longer than the station can hold', async () => {
  await says('LocalAuthListMaxLength', '1')
  const refused = await send({ mode: 'full' })
  expect(refused).toMatchObject({ status: 422, errors: [{ detail: 'the list would have 2' }] })
  expect(refused.detail).toContain('LocalAuthListMaxLength')
  expect((await send({ mode: 'full', tokens: ['Card-A'] })).status).toBe(202)
  await believe('Card-A')
  expect((await send({ mode: 'differential', tokens: ['Card-B'] })).status).toBe(422)
  expect((await send({ mode: 'differential', tokens: ['Card-B'], remove: ['Card-A'] })).status).toBe(202)
})

test('a station that does not use its list is sent it with a warning', async () => {
  await says('LocalAuthListEnabled', 'false')
  expect((await send({ mode: 'full' })).warnings).toEqual([
    'The station does not use its list (LocalAuthListEnabled is false).',
  ])
})

test('the list is shown in pages, with how much is known of it', async () => {
  const read = async (query = '') =>
    (await api.request('viewer', { url: `/v1/stations/CS-1/local-list${query}` })).json()
  expect(await read()).toEqual({
    ...{ version: null, state: null, known: false, inStep: false, changedAt: null },
    ...{ entries: [], nextCursor: null },
  })
  await believe('C', 'a', 'B')
  const first = await read('?limit=2')
  expect(first).toMatchObject({ version: 3, state: 'accepted', known: true })
  expect(first.entries).toMatchObject([
    { token: 'a', status: 'Accepted', expiresAt: null, group: null },
    { token: 'B' },
  ])
  expect(await read(`?limit=2&cursor=${first.nextCursor}`)).toMatchObject({
    entries: [{ token: 'C' }],
    nextCursor: null,
  })
  expect((await api.request('viewer', { url: '/v1/stations/CS-none/local-list' })).statusCode).toBe(404)
})

test('a change of tokens, and of the switch, has the stations in step looked at; others are left alone', async () => {
  const { prisma } = api.database
  const looked = async () => {
    const jobs = await prisma.job.findMany({ where: { kind: 'local-list-sync' } })
    await prisma.job.deleteMany()
    for (const { dueAt } of jobs) {
      expect(dueAt.getTime() - Date.now()).toBeGreaterThan(4_000)
      expect(dueAt.getTime() - Date.now()).toBeLessThan(16_000)
    }
    return [...new Set(jobs.map(({ stationId }) => stationId))]
  }
  const token = await request('POST', '/v1/tokens', { value: 'New', type: 'ISO14443', groupId: 'FLEET' })
  await request('PATCH', '/v1/stations/CS-1', { name: 'One', switches: { localListSync: false } })
  expect(await looked()).toEqual([])

  await request('PATCH', '/v1/stations/CS-2', { switches: { localListSync: true } })
  expect(await looked()).toEqual(['CS-2'])
  await request('PATCH', `/v1/tokens/${token.id}`, { status: 'blocked' })
  await request('PATCH', `/v1/tokens/${token.id}`, { status: 'accepted' })
  expect(await looked()).toEqual(['CS-2'])
  await request('DELETE', '/v1/token-groups/FLEET')
  expect(await looked()).toEqual(['CS-2'])
  await request('DELETE', `/v1/tokens/${token.id}`)
  expect(await looked()).toEqual(['CS-2'])
  await request('POST', '/v1/tokens', { value: 'Newer', type: 'ISO14443' })
  expect(await looked()).toEqual(['CS-2'])
})
