import { newId } from '@busbar/store'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'
import { renewPresets } from './presets.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

const register = async (payload: object) => api.request('operator', { method: 'POST', url: '/v1/stations', payload })

/** What the stations service keeps of a connected station. */
const connect = (stationId: string, rest: object = {}) =>
  api.database.prisma.stationState.create({
    data: {
      stationId,
      online: true,
      registration: 'Accepted',
      protocol: 'ocpp2.0.1',
      gatewayId: 'gateway-1',
      connectedAt: new Date('2026-01-01T10:00:00Z'),
      lastSeenAt: new Date('2026-01-01T10:05:00Z'),
      ...rest,
    },
  })

const auditOf = (targetId: string) =>
  api.database.prisma.auditEntry.findMany({ where: { targetId }, orderBy: { id: 'asc' } })

test('a registered station shows its generated password once and keeps a hash', async () => {
  const response = await register({ id: 'CS 1', name: 'By the gate' })
  const again = await api.request('viewer', { url: '/v1/stations/CS%201' })

  expect(response.statusCode).toBe(201)
  expect(response.json()).toMatchObject({
    id: 'CS 1',
    name: 'By the gate',
    registrationPolicy: 'accept',
    registration: null,
    connection: { online: false },
    boot: null,
    evses: [],
  })
  expect(response.json().password).toMatch(/^[0-9a-f]{40}$/)
  expect(again.body).not.toContain(response.json().password)
  expect(await api.database.prisma.stationSecret.findMany({ where: { stationId: 'CS 1' } })).toMatchObject([
    { slot: 'current', hash: expect.stringMatching(/^hmac:/) },
  ])
  const [audit] = await auditOf('CS 1')
  expect(audit).toMatchObject({ action: 'station.create', actor: expect.stringMatching(/^operator\//) })
  expect(JSON.stringify(audit?.details)).not.toContain(response.json().password)
})

test('a given password is not shown and not audited', async () => {
  const password = 'correct horse battery'
  const response = await register({ id: 'CS-given', password })

  expect(response.json().password).toBeNull()
  expect(await auditOf('CS-given')).toMatchObject([{ details: { id: 'CS-given', password: 'given' } }])
  const [secret] = await api.database.prisma.stationSecret.findMany({ where: { stationId: 'CS-given' } })
  expect(secret?.hash).toMatch(/^scrypt:/)
})

test('a station without credentials, or with a certificate, gets no password', async () => {
  expect((await register({ id: 'CS-open', securityProfile: 0 })).json().password).toBeNull()
  expect((await register({ id: 'CS-cert', securityProfile: 3 })).json().password).toBeNull()
})

test.each(['a/b', 'a:b', 'a\\b', 'a%b', '', 'x'.repeat(49), 'tab\t', 'ü', '..'])('the id %j is refused', async (id) => {
  expect((await register({ id })).statusCode).toBe(400)
})

test('an id is registered once, and nothing is written the second time', async () => {
  await register({ id: 'CS-twice' })

  expect((await register({ id: 'CS-twice' })).statusCode).toBe(409)
  expect(await auditOf('CS-twice')).toHaveLength(1)
})

test('a site that does not exist is refused', async () => {
  expect((await register({ id: 'CS-nowhere', siteId: newId() })).statusCode).toBe(422)
})

test('the detail shows connection, boot, EVSEs and connectors', async () => {
  await register({ id: 'CS-detail' })
  await connect('CS-detail', { lastBootAt: new Date('2026-01-01T10:00:01Z'), bootCount: 3, vendor: '<script>' })
  await api.database.prisma.evse.create({
    data: {
      id: newId(),
      stationId: 'CS-detail',
      number: 1,
      connectors: { create: [{ id: newId(), number: 1, status: 'Occupied' }] },
    },
  })
  const requestedAt = new Date('2026-01-01T10:04:00Z')
  const wish = { operative: false, outcome: 'scheduled', commandId: newId(), requestedAt }
  await api.database.prisma.desiredAvailability.create({
    data: { stationId: 'CS-detail', evseNumber: 1, connectorNumber: 1, ...wish },
  })

  const response = await api.request('viewer', { url: '/v1/stations/CS-detail' })

  expect(response.headers['content-type']).toContain('application/json')
  expect(response.json()).toMatchObject({
    registration: 'Accepted',
    connection: {
      online: true,
      gateway: 'gateway-1',
      protocol: 'ocpp2.0.1',
      since: '2026-01-01T10:00:00.000Z',
      lastSeenAt: '2026-01-01T10:05:00.000Z',
    },
    boot: { count: 3, vendor: '<script>' },
    evses: [
      {
        number: 1,
        connectors: [{ number: 1, status: 'Occupied', errorCode: null, desired: { outcome: 'scheduled' } }],
      },
    ],
  })
})

test('the list pages by id and filters', async () => {
  const site = (await api.request('operator', { method: 'POST', url: '/v1/sites', payload: { name: 'Depot' } })).json()
  for (const id of ['L-1', 'L-2', 'L-3', 'L-4']) await register({ id, siteId: site.id, name: `stand ${id}` })
  await connect('L-2')
  await connect('L-3', { online: false, registration: 'Pending' })
  const list = async (query: string) => {
    const page = (await api.request('viewer', { url: `/v1/stations?siteId=${site.id}&${query}` })).json()
    return { ids: page.items.map(({ id }: { id: string }) => id), next: page.nextCursor }
  }

  const first = await list('limit=3')
  expect(first.ids).toEqual(['L-1', 'L-2', 'L-3'])
  expect(await list(`limit=3&cursor=${first.next}`)).toEqual({ ids: ['L-4'], next: null })
  expect((await list('online=true')).ids).toEqual(['L-2'])
  expect((await list('online=false')).ids).toEqual(['L-1', 'L-3', 'L-4'])
  expect((await list('registration=Pending')).ids).toEqual(['L-3'])
  expect((await list('registration=none')).ids).toEqual(['L-1', 'L-4'])
  expect((await list('q=STAND%20l-4')).ids).toEqual(['L-4'])
})

test('a change keeps what it does not name', async () => {
  await register({ id: 'CS-change', name: 'before', heartbeatIntervalSeconds: 60 })

  const response = await api.request('operator', {
    method: 'PATCH',
    url: '/v1/stations/CS-change',
    payload: { name: null, acceptWithoutBoot: true, switches: { tariff: true } },
  })

  expect(response.json()).toMatchObject({
    name: null,
    heartbeatIntervalSeconds: 60,
    acceptWithoutBoot: true,
    switches: { tariff: true },
  })
  expect((await auditOf('CS-change')).map(({ action }) => action)).toEqual(['station.create', 'station.update'])
})

test("a preset's switches hold where the station's own say nothing", async () => {
  await register({ id: 'CS-preset', switches: { callPauseMs: 200 } })
  const change = async (payload: object) =>
    (await api.request('operator', { method: 'PATCH', url: '/v1/stations/CS-preset', payload })).json()

  expect(await change({ preset: 'wallbox' })).toMatchObject({
    preset: 'wallbox',
    switches: { callPauseMs: 200 },
    effectiveSwitches: { callPauseMs: 200, chargingProfileRelativeOnly: true },
  })
  expect(await change({ switches: { chargingProfileRelativeOnly: false } })).toMatchObject({
    effectiveSwitches: { callPauseMs: 1000, chargingProfileRelativeOnly: false },
  })
  expect(await change({ preset: null })).toMatchObject({ effectiveSwitches: { chargingProfileRelativeOnly: false } })
})

test('a start renews the switches of presets that it knows better, and writes no other station', async () => {
  await register({ id: 'CS-same', preset: 'wallbox' })
  await register({ id: 'CS-older', preset: 'wallbox' })
  const older = "UPDATE station SET switches = '{}' WHERE id = 'CS-older'"
  await api.database.query({ text: older, values: [] })
  const read = (id: string) =>
    api.database.query<{ xmin: number; switches: object }>({
      text: 'SELECT xmin::text::int, switches FROM station WHERE id = $1',
      values: [id],
    })
  const before = await read('CS-same')

  await renewPresets({ database: api.database, log: pino({ level: 'silent' }) })

  expect(await read('CS-same')).toEqual(before)
  expect((await read('CS-older'))[0]?.switches).toEqual(before[0]?.switches)
})

test('a station that holds no good password gets any, once it is switched so', async () => {
  await register({ id: 'CS-weak', switches: { anyPassword: true } })
  const url = '/v1/stations/CS-weak/secret'
  const response = await api.request('operator', { method: 'PUT', url, payload: { password: '' } })

  expect(response.statusCode).toBe(200)
  expect(await api.database.prisma.stationSecret.count({ where: { stationId: 'CS-weak' } })).toBe(1)
})

test.each([{ preset: 'nobody' }, { switches: { tolerateinvalid: true } }, { switches: { callPauseMs: true } }])(
  'the change %j is refused',
  async (payload) => {
    await register({ id: 'CS-no-switch' })
    const response = await api.request('operator', { method: 'PATCH', url: '/v1/stations/CS-no-switch', payload })

    expect(response.statusCode).toBe(400)
  },
)

test('presets are listed with the one that what a station said suggests', async () => {
  await register({ id: 'CS-suggest' })
  await connect('CS-suggest', { vendor: 'KEBA AG', model: 'P30' })

  const { items, switches } = (await api.request('viewer', { url: '/v1/presets?station=CS-suggest' })).json()

  const suggested = items.filter((preset: { suggested: boolean }) => preset.suggested)
  expect(suggested).toMatchObject([{ name: 'keba', switches: { idTagBeforeUnderscore: true } }])
  expect(switches).toContainEqual(expect.objectContaining({ name: 'tolerateInvalid', type: 'boolean' }))
  const station = (await api.request('viewer', { url: '/v1/stations/CS-suggest' })).json()
  expect(station.suggestedPreset).toBe('keba')
})

test.each([
  ['PATCH', '', { name: 'x' }],
  ['PUT', '/secret', {}],
  ['PUT', '/registration', { policy: 'accept' }],
  ['DELETE', '', undefined],
] as const)('%s of an unknown station%s answers 404 and leaves no trace', async (method, path, payload) => {
  const url = `/v1/stations/CS-unknown${path}`
  const response = await api.request('admin', { method, url, ...(payload && { payload }) })

  expect(response.statusCode).toBe(404)
  expect(await auditOf('CS-unknown')).toEqual([])
  expect(await api.database.prisma.stationSecret.count({ where: { stationId: 'CS-unknown' } })).toBe(0)
})

test('a pending secret stands beside the current one until one is set for good', async () => {
  await register({ id: 'CS-secret' })
  const put = (payload?: object) =>
    api.request('operator', { method: 'PUT', url: '/v1/stations/CS-secret/secret', ...(payload && { payload }) })
  const slots = async () =>
    (await api.database.prisma.stationSecret.findMany({ where: { stationId: 'CS-secret' } })).map(({ slot }) => slot)

  expect((await put({ pending: true })).json()).toEqual({ slot: 'pending', password: expect.any(String) })
  expect((await slots()).sort()).toEqual(['current', 'pending'])
  expect((await put({ password: 'sixteen characters' })).json()).toEqual({ slot: 'current', password: null })
  expect(await slots()).toEqual(['current'])
  expect((await put()).json()).toMatchObject({ slot: 'current', password: expect.any(String) })
  expect((await put({ password: 'short' })).statusCode).toBe(422)
  expect((await put({ password: 'tab\tand many more characters' })).statusCode).toBe(400)
})

test('rejecting shuts the open connection up; releasing waits for the next boot', async () => {
  await register({ id: 'CS-gate' })
  const put = (policy: string) =>
    api.request('operator', { method: 'PUT', url: '/v1/stations/CS-gate/registration', payload: { policy } })

  expect((await put('pending')).json()).toMatchObject({ registrationPolicy: 'pending' })
  expect((await put('accept')).json()).toMatchObject({ registrationPolicy: 'accept' })
  expect(api.channels.published).toEqual([])
  expect((await put('reject')).json()).toMatchObject({ registrationPolicy: 'reject' })
  expect(api.channels.published.splice(0)).toEqual([
    { channel: 'station:CS-gate', message: { kind: 'registration', registration: 'Rejected' } },
  ])
})

test('a deleted station is gone with its secret; what it said stays', async () => {
  await register({ id: 'CS-gone' })
  await connect('CS-gone')

  const response = await api.request('operator', { method: 'DELETE', url: '/v1/stations/CS-gone' })

  expect(response.statusCode).toBe(204)
  expect((await api.request('viewer', { url: '/v1/stations/CS-gone' })).statusCode).toBe(404)
  expect(await api.database.prisma.stationSecret.count({ where: { stationId: 'CS-gone' } })).toBe(0)
  expect(await api.database.prisma.stationState.count({ where: { stationId: 'CS-gone' } })).toBe(1)
  expect(api.channels.published.splice(0)).toHaveLength(1)
})

test('variables page by their key and are found whatever their case', async () => {
  const variable = (component: string, name: string, rest: object = {}) => ({
    stationId: 'CS-variables',
    componentKey: component.toLowerCase(),
    component,
    variableKey: name.toLowerCase(),
    variable: name,
    attributeType: 'Actual',
    value: '1',
    updatedAt: new Date('2026-01-01T00:00:00Z'),
    ...rest,
  })
  await api.database.prisma.variable.createMany({
    data: [
      variable('ClockCtrlr', 'DateTime'),
      variable('EVSE', 'Power', { evseNumber: 1, characteristics: { unit: 'W' } }),
      variable('EVSE', 'Power', { evseNumber: 2, variableInstance: 'x' }),
    ],
  })
  const list = async (query: string) =>
    (await api.request('viewer', { url: `/v1/stations/CS-variables/variables?${query}` })).json()

  const first = await list('limit=2')
  expect(first.items).toMatchObject([
    { component: 'ClockCtrlr', evse: null, connector: null, variableInstance: null, characteristics: null },
    { component: 'EVSE', evse: 1, characteristics: { unit: 'W' } },
  ])
  expect((await list(`limit=2&cursor=${first.nextCursor}`)).items).toMatchObject([{ evse: 2, variableInstance: 'x' }])
  expect((await list('component=evse&variable=POWER&evse=2')).items).toHaveLength(1)
})

test('heartbeats are counted by day, newest first', async () => {
  const day = (text: string, count: number) => ({ stationId: 'CS-beats', day: new Date(text), count })
  await api.database.prisma.heartbeatCount.createMany({ data: [day('2026-01-01', 5), day('2026-01-02', 7)] })

  const first = (await api.request('viewer', { url: '/v1/stations/CS-beats/heartbeats?limit=1' })).json()
  const second = await api.request('viewer', { url: `/v1/stations/CS-beats/heartbeats?cursor=${first.nextCursor}` })

  expect(first.items).toEqual([{ day: '2026-01-02', count: 7 }])
  expect(second.json()).toEqual({ items: [{ day: '2026-01-01', count: 5 }], nextCursor: null })
})
