import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

const register = (payload: object) => api.request('operator', { method: 'POST', url: '/v1/tokens', payload })

test('a token is read back as registered, with its group', async () => {
  await api.request('operator', { method: 'POST', url: '/v1/token-groups', payload: { id: 'FLEET', name: 'Fleet' } })
  const created = await register({
    value: 'DeadBeef',
    type: 'ISO14443',
    groupId: 'FLEET',
    expiresAt: '2030-01-01T01:00:00+01:00',
    maxTransactions: 1,
  })

  expect(created.statusCode).toBe(201)
  expect((await api.request('viewer', { url: `/v1/tokens/${created.json().id}` })).json()).toMatchObject({
    value: 'DeadBeef',
    status: 'accepted',
    groupId: 'FLEET',
    expiresAt: '2030-01-01T00:00:00.000Z',
    maxTransactions: 1,
  })
})

test('a value is unique with its type, whatever its case', async () => {
  await register({ value: 'Once', type: 'Local' })

  expect((await register({ value: 'ONCE', type: 'Local' })).statusCode).toBe(409)
  expect((await register({ value: 'ONCE', type: 'Central' })).statusCode).toBe(201)
})

test('blanks around a value are no part of it, because none are when a station presents it', async () => {
  const created = await register({ value: '  Padded 1 ', type: 'Local' })

  expect(created.json()).toMatchObject({ value: 'Padded 1' })
  expect((await register({ value: 'padded 1', type: 'Local' })).statusCode).toBe(409)
  expect((await register({ value: '   ', type: 'Local' })).statusCode).toBe(400)
  const rows = await api.database.prisma.token.findMany({ where: { id: created.json().id } })
  expect(rows).toMatchObject([{ value: 'Padded 1', foldedValue: 'padded 1' }])
})

test('a KeyCode is shown nowhere', async () => {
  const created = await register({ value: '4711-secret', type: 'KeyCode' })
  const list = await api.request('viewer', { url: '/v1/tokens?type=KeyCode' })
  const search = await api.request('viewer', { url: '/v1/tokens?value=4711' })
  const audit = await api.request('auditor', { url: `/v1/audit?targetId=${created.json().id}` })

  expect(created.json().value).toBe('***')
  expect(list.json().items).toHaveLength(1)
  expect(search.json().items).toEqual([])
  for (const { body } of [created, list, audit]) expect(body).not.toContain('4711')
})

test('what cannot be registered: NoAuthorization, an unknown group, a value that is no text', async () => {
  expect((await register({ value: '', type: 'NoAuthorization' })).statusCode).toBe(400)
  expect((await register({ value: 'a', type: 'Local', groupId: 'NONE' })).statusCode).toBe(422)
  expect((await register({ value: 'a\u0000', type: 'Local' })).statusCode).toBe(400)
  expect((await register({ value: 'a', type: 'Local', colour: 'red' })).statusCode).toBe(400)
})

test('a token is blocked, then deleted, and both are in the audit log', async () => {
  const { id } = (await register({ value: 'blocked', type: 'Local' })).json()
  const url = `/v1/tokens/${id}`

  const blocked = await api.request('operator', { method: 'PATCH', url, payload: { status: 'blocked' } })
  const deleted = await api.request('operator', { method: 'DELETE', url })

  expect(blocked.json()).toMatchObject({ status: 'blocked', value: 'blocked' })
  expect(deleted.statusCode).toBe(204)
  expect((await api.request('viewer', { url })).statusCode).toBe(404)
  expect((await api.request('operator', { method: 'DELETE', url })).statusCode).toBe(404)
  const audit = (await api.request('auditor', { url: `/v1/audit?targetType=token&targetId=${id}` })).json()
  expect(audit.items.map(({ action }: { action: string }) => action)).toEqual([
    'token.delete',
    'token.update',
    'token.create',
  ])
})

test('tokens page in the order they were registered', async () => {
  for (const value of ['page-1', 'page-2', 'page-3']) await register({ value, type: 'MacAddress' })
  const list = async (query: string) => (await api.request('viewer', { url: `/v1/tokens?value=PAGE&${query}` })).json()

  const first = await list('limit=2')
  const second = await list(`limit=2&cursor=${first.nextCursor}`)

  expect([...first.items, ...second.items].map(({ value }) => value)).toEqual(['page-1', 'page-2', 'page-3'])
  expect(second.nextCursor).toBeNull()
})

test('a group is changed and deleted; its tokens stay without it', async () => {
  await api.request('operator', { method: 'POST', url: '/v1/token-groups', payload: { id: 'SHORT' } })
  const { id } = (await register({ value: 'member', type: 'Local', groupId: 'SHORT' })).json()
  const url = '/v1/token-groups/SHORT'

  const changed = await api.request('operator', { method: 'PATCH', url, payload: { masterPass: true } })
  const groups = await api.request('viewer', { url: '/v1/token-groups' })
  await api.request('operator', { method: 'DELETE', url })

  expect(changed.json()).toMatchObject({ id: 'SHORT', masterPass: true })
  expect(groups.json().items.map((each: { id: string }) => each.id)).toContain('SHORT')
  expect((await api.request('viewer', { url })).statusCode).toBe(404)
  expect((await api.request('viewer', { url: `/v1/tokens/${id}` })).json().groupId).toBeNull()
})

test('a site is created, changed and deleted; its time zone has to exist', async () => {
  const create = (payload: object) => api.request('operator', { method: 'POST', url: '/v1/sites', payload })

  const site = (await create({ name: 'Depot', timeZone: 'Europe/Berlin' })).json()
  const url = `/v1/sites/${site.id}`
  const changed = await api.request('operator', { method: 'PATCH', url, payload: { address: 'Main Street 1' } })

  expect(changed.json()).toMatchObject({ name: 'Depot', address: 'Main Street 1', timeZone: 'Europe/Berlin' })
  expect((await create({ name: 'Moon', timeZone: 'Moon/Crater' })).statusCode).toBe(400)
  expect((await api.request('operator', { method: 'DELETE', url })).statusCode).toBe(204)
  expect((await api.request('viewer', { url })).statusCode).toBe(404)
})
