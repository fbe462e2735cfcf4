import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Issuer } from '../../../../test/support/issuer.js'
import { createApiKey } from '../api-keys.js'
import { startTestApi, type TestApi } from '../testing.js'

const issuer = new Issuer()
let api: TestApi
let ann: string
beforeAll(async () => {
  await issuer.listen()
  await issuer.addKey('first')
  ann = await issuer.token()
  const oidc = {
    ...{ issuer: issuer.url, audience: 'busbar', roleClaim: 'roles', roles: null, algorithms: ['ES256' as const] },
    ...{ clockToleranceSeconds: 5, keysCooldownMs: 0 },
  }
  api = await startTestApi({ config: { oidc } })
  await addStations(600)
})
afterAll(async () => {
  await api.stop()
  issuer.stop()
})
afterEach(async () => {
  const text = 'TRUNCATE bulk_command, bulk_target, command, switched_station'
  await api.database.query({ text, values: [] })
})

async function addStations(count: number): Promise<void> {
  const ids = names(count)
  const { prisma } = api.database
  await prisma.station.createMany({ data: ids.map((id) => ({ id, foldedId: id.toLowerCase() })) })
  await prisma.stationState.createMany({ data: ids.map((stationId) => ({ stationId, protocol: 'ocpp1.6' })) })
}
const names = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `CS-${String(from + index).padStart(3, '0')}`)

const post = (path: string, payload: object, key: string) =>
  api.app.inject({ method: 'POST', url: `/v1${path}`, headers: { authorization: `Bearer ${key}` }, payload })
const send = (stationId: string, key = ann, action = 'Reset', payload: object = { type: 'Soft' }) =>
  post(`/stations/${stationId}/commands`, { action, payload }, key)
const status = async (...sent: Parameters<typeof send>) => (await send(...sent)).statusCode
const taken = () => api.database.prisma.command.count()
const aMinutePasses = () =>
  api.database.commit([
    { text: `UPDATE switched_station SET at = at - interval '61 s'`, values: [] },
    { text: `UPDATE bulk_target SET sent_at = sent_at - interval '61 s'`, values: [] },
  ])
const bulk = (stations: string[], key = ann) =>
  post('/bulk-commands', { action: 'Reset', payload: { type: 'Soft' }, jitterSeconds: 0, stations }, key)

test('T17: a person switches 50 stations a minute, however many are asked at once; the station counts, not the command', async () => {
  const statuses = await Promise.all(names(80).map((id) => status(id)))
  expect(statuses.filter((each) => each === 202)).toHaveLength(50)
  expect(statuses.filter((each) => each === 429)).toHaveLength(30)
  expect(await taken()).toBe(50)

  const refused = await send('CS-500')
  expect(refused.headers['retry-after']).toBe('60')
  expect(refused.json().detail).toContain('more than 50 stations within a minute: send a bulk command')
  const [one] = await api.database.prisma.command.findMany({ take: 1 })
  expect(await status(one?.stationId ?? '')).toBe(202)
  expect((await api.app.inject('/metrics')).body).toContain('busbar_api_switches_refused_total 31')

  await aMinutePasses()
  expect(await status('CS-500')).toBe(202)
})

test('typed operations count as well; what asks a station for something does not', async () => {
  await Promise.all(names(49).map((id) => status(id)))
  expect((await post('/stations/CS-100/unlock', { connector: 1 }, ann)).statusCode).toBe(202)
  expect((await post('/stations/CS-101/unlock', { connector: 1 }, ann)).statusCode).toBe(429)
  expect(await status('CS-102', ann, 'GetConfiguration', {})).toBe(202)
  expect(await status('CS-103', ann, 'TriggerMessage', { requestedMessage: 'Heartbeat' })).toBe(202)
  expect(await taken()).toBe(52)
})

test('each person has a limit of their own; a program with a key has none, a key that is limited does', async () => {
  await Promise.all(names(60).map((id) => status(id)))
  expect(await status('CS-100', await issuer.token({ sub: 'ben' }))).toBe(202)
  const programs = await Promise.all(names(60).map((id) => status(id, api.keys.operator)))
  expect(new Set(programs)).toEqual(new Set([202]))

  const draft = { name: 'in hand', role: 'operator', isLimited: true }
  const { key } = (await post('/api-keys', draft, api.keys.admin)).json()
  const limited = await Promise.all(names(60).map((id) => status(id, key)))
  expect(limited.filter((each) => each === 202)).toHaveLength(50)
})

test('a limited key of a person adds nothing to what the person may', async () => {
  const { key } = await createApiKey(api.database, {
    ...{ name: 'of ann', role: 'operator', owner: 'oidc:ann', isLimited: true },
  })
  await Promise.all(names(50).map((id) => status(id)))
  expect(await status('CS-100', key)).toBe(429)
})

test('bulk commands that nobody approved and commands one by one share the limit', async () => {
  await Promise.all(names(30).map((id) => status(id)))
  expect((await bulk(names(21, 100))).json().status).toBe('awaiting-approval')
  expect((await bulk(names(20, 100))).json().status).toBe('running')
  await api.database.query({ text: 'UPDATE bulk_target SET offset_ms = 0', values: [] })
  await expect.poll(taken, { timeout: 15_000 }).toBe(50)
  expect(await status('CS-200')).toBe(429)
  // Someone else's are not in its way.
  expect(await status('CS-200', await issuer.token({ sub: 'ben' }))).toBe(202)
})

test('a bulk command that nobody approved rests while its maker switches as much alone', async () => {
  const { id } = (await bulk(names(40, 100))).json()
  await post(`/bulk-commands/${id}/stop`, { reason: 'first the others' }, ann)
  const statuses = await Promise.all(names(50).map((station) => status(station)))
  const alone = statuses.filter((each) => each === 202).length
  await api.database.query({ text: 'UPDATE bulk_target SET offset_ms = 0', values: [] })
  await post(`/bulk-commands/${id}/resume`, { reason: 'now these' }, ann)
  const due = async () => (await api.database.prisma.bulkCommand.findUnique({ where: { id } }))?.dueAt?.getTime()
  await expect.poll(due).toBeGreaterThan(Date.now())
  expect(await taken()).toBe(50)

  await aMinutePasses()
  await expect.poll(taken, { timeout: 15_000 }).toBe(40 + alone)
})
