import { newId } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

const post = (url: string, payload: object) => api.request('operator', { method: 'POST', url, payload })
const get = async (url: string) => (await api.request('viewer', { url })).json()
const register = async (id: string, rest: object = {}) => (await post('/v1/stations', { id, ...rest })).json()
const createGroup = async (name: string, rest: object = {}) =>
  (await post('/v1/station-groups', { name, ...rest })).json()
const stationsIn = async (query: string) =>
  (await get(`/v1/stations?${query}`)).items.map(({ id }: { id: string }) => id)
const actionsOn = async (targetId: string) =>
  (await api.database.prisma.auditEntry.findMany({ where: { targetId }, orderBy: { id: 'asc' } })).map(
    ({ action }) => action,
  )

test('a group is made, renamed, listed and deleted; its stations stay', async () => {
  const group = await createGroup('  North ', { note: 'Behind the barrier' })
  await register('G-1', { groupIds: [group.id] })
  const url = `/v1/station-groups/${group.id}`

  expect(group).toMatchObject({ name: 'North', note: 'Behind the barrier', stations: 0 })
  const renamed = await api.request('operator', { method: 'PATCH', url, payload: { name: 'South', note: null } })
  expect(renamed.json()).toMatchObject({ name: 'South', note: null, stations: 1 })
  expect(await get(url)).toEqual(renamed.json())
  expect((await get('/v1/station-groups')).items).toContainEqual(renamed.json())
  expect((await get('/v1/stations/G-1')).groups).toEqual([{ id: group.id, name: 'South' }])

  expect((await api.request('operator', { method: 'DELETE', url })).statusCode).toBe(204)
  expect((await api.request('viewer', { url })).statusCode).toBe(404)
  expect((await get('/v1/stations/G-1')).groups).toEqual([])
  expect(await actionsOn(group.id)).toEqual(['station-group.create', 'station-group.update', 'station-group.delete'])
})

test('a name is given once', async () => {
  const { id } = await createGroup('Once')

  expect((await post('/v1/station-groups', { name: 'Once' })).statusCode).toBe(409)
  const other = await createGroup('Other')
  const url = `/v1/station-groups/${other.id}`
  expect((await api.request('operator', { method: 'PATCH', url, payload: { name: 'Once' } })).statusCode).toBe(409)
  expect(await actionsOn(id)).toEqual(['station-group.create'])
})

test.each(['', ' ', 'a|b', 'a\u0000b', 'a\nb', 'x'.repeat(65)])('the name %j is refused', async (name) => {
  expect((await post('/v1/station-groups', { name })).statusCode).toBe(400)
})

test('stations are taken in and let go together, or none when one of them is not registered', async () => {
  const group = await createGroup('Members')
  for (const id of ['M-1', 'M-2', 'M-3']) await register(id)
  const change = (payload: object) => post(`/v1/station-groups/${group.id}/stations`, payload)

  expect((await change({ add: ['M-1', 'M-2', 'M-2'] })).json()).toMatchObject({ stations: 2 })
  expect((await change({ add: ['M-2', 'M-3'], remove: ['M-1', 'nobody'] })).json()).toMatchObject({ stations: 2 })
  expect(await stationsIn(`group=${group.id}`)).toEqual(['M-2', 'M-3'])

  const refused = await change({ add: ['M-1', 'M-9'], remove: ['M-2'] })
  expect(refused.statusCode).toBe(422)
  expect(refused.json().errors).toEqual([{ detail: 'There is no station M-9.', pointer: '/add/1' }])
  expect(await stationsIn(`group=${group.id}`)).toEqual(['M-2', 'M-3'])
  expect(await actionsOn(group.id)).toHaveLength(3)
  expect((await post(`/v1/station-groups/${newId()}/stations`, { add: ['M-1'] })).statusCode).toBe(404)
})

test('a station may be in several groups; setting them leaves no other', async () => {
  const [first, second, third] = [await createGroup('A'), await createGroup('B'), await createGroup('C')]
  const created = await register('S-1', { groupIds: [second.id, first.id, first.id], tags: ['fast', 'roof', 'fast'] })
  const patch = (payload: object) => api.request('operator', { method: 'PATCH', url: '/v1/stations/S-1', payload })

  expect(created).toMatchObject({
    tags: ['fast', 'roof'],
    groups: [
      { id: first.id, name: 'A' },
      { id: second.id, name: 'B' },
    ],
  })
  expect((await patch({ groupIds: [third.id] })).json()).toMatchObject({
    groups: [{ name: 'C' }],
    tags: ['fast', 'roof'],
  })
  expect((await patch({ tags: ['slow'] })).json()).toMatchObject({ groups: [{ name: 'C' }], tags: ['slow'] })
  expect((await patch({ groupIds: [newId()] })).statusCode).toBe(422)
  expect((await patch({ tags: ['a|b'] })).statusCode).toBe(400)
  expect((await patch({ groupIds: [], tags: [] })).json()).toMatchObject({ groups: [], tags: [] })
})

test('stations are listed by group and tag, both at once and with the other filters', async () => {
  const group = await createGroup('Listed')
  await register('T-1', { groupIds: [group.id], tags: ['fast'] })
  await register('T-2', { groupIds: [group.id], tags: ['slow', 'roof'] })
  await register('T-3', { tags: ['fast', 'roof'] })

  expect(await stationsIn('tag=fast&q=T-')).toEqual(['T-1', 'T-3'])
  expect(await stationsIn(`group=${group.id}&tag=fast`)).toEqual(['T-1'])
  expect(await stationsIn('tag=fas')).toEqual([])
  expect(await stationsIn(`group=${newId()}`)).toEqual([])
  const [listed] = (await get(`/v1/stations?group=${group.id}&q=T-2`)).items
  expect(listed).toMatchObject({ tags: ['roof', 'slow'], groups: [{ id: group.id, name: 'Listed' }] })
})

test('a deleted station is in no group', async () => {
  const group = await createGroup('Left')
  await register('D-1', { groupIds: [group.id] })

  expect((await api.request('operator', { method: 'DELETE', url: '/v1/stations/D-1' })).statusCode).toBe(204)
  expect(await get(`/v1/station-groups/${group.id}`)).toMatchObject({ stations: 0 })
})
