import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  for (const [id, protocol] of [
    ['CS-16', 'ocpp1.6'],
    ['CS-201', 'ocpp2.0.1'],
  ]) {
    await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id } })
    await api.database.prisma.stationState.create({ data: { stationId: String(id), protocol: String(protocol) } })
  }
})
afterAll(() => api.stop())

const post = (path: string, payload: object, station = 'CS-16') =>
  api.request('operator', { method: 'POST', url: `/v1/stations/${station}/${path}`, payload })

test.each([
  ['clear-cache', {}, 'ClearCache', {}],
  ['reset', { type: 'soft' }, 'Reset', { type: 'Soft' }],
  ['reset', { type: 'hard' }, 'Reset', { type: 'Hard' }],
  ['unlock', { connector: 2 }, 'UnlockConnector', { connectorId: 2 }],
  ['availability', { connector: 0, operative: false }, 'ChangeAvailability', { connectorId: 0, type: 'Inoperative' }],
  ['availability', { connector: 2, operative: true }, 'ChangeAvailability', { connectorId: 2, type: 'Operative' }],
  ['data-transfer', { vendorId: 'com.example' }, 'DataTransfer', { vendorId: 'com.example' }],
])('%s %j becomes %s', async (path, body, action, payload) => {
  const response = await post(path, body)

  expect(response.statusCode).toBe(202)
  expect(response.json()).toMatchObject({ action, status: 'queued', warnings: [] })
  const sent = await api.request('viewer', { url: `/v1/commands/${response.json().id}` })
  expect(sent.json()).toMatchObject({ action, payload })
})

test('a wish that is none is refused, and nothing is sent', async () => {
  const before = await api.database.prisma.command.count()

  expect((await post('unlock', { connector: 0 })).statusCode).toBe(400)
  expect((await post('reset', { type: 'gentle' })).statusCode).toBe(400)
  expect((await post('clear-cache', {}, 'CS-201')).statusCode).toBe(409)
  expect((await post('clear-cache', {}, 'CS-none')).statusCode).toBe(404)
  expect(await api.database.prisma.command.count()).toBe(before)
})

test('a station that ChangeAvailability harms is spared', async () => {
  const { prisma } = api.database
  await prisma.station.update({ where: { id: 'CS-16' }, data: { switches: { neverChangeAvailability: true } } })
  const response = await post('availability', { connector: 1, operative: false })
  await prisma.station.update({ where: { id: 'CS-16' }, data: { switches: {} } })

  expect(response.statusCode).toBe(422)
})

test('the documentation shows an example of each', async () => {
  const document = (await api.app.inject({ url: '/docs/json' })).json()
  const exampleOf = (path: string) => document.paths[path].post.requestBody.content['application/json'].example
  const typed = Object.keys(document.paths).filter(
    (path) =>
      path.startsWith('/v1/stations/{id}/') && path !== '/v1/stations/{id}/commands' && document.paths[path].post,
  )

  expect(typed).toContain('/v1/stations/{id}/charging-profiles')
  expect(typed.filter((path) => exampleOf(path) === undefined)).toEqual([])
  expect(exampleOf('/v1/stations/{id}/reset')).toEqual({ type: 'soft' })
})
