import { newId } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
const hour = 3_600_000
const inAnHour = () => new Date(Date.now() + hour).toISOString()

beforeAll(async () => {
  api = await startTestApi()
  const { prisma } = api.database
  for (const id of ['CS-1', 'CS-2', 'CS-201']) {
    await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id } })
    const protocol = id === 'CS-201' ? 'ocpp2.0.1' : 'ocpp1.6'
    await prisma.stationState.create({ data: { stationId: id, protocol } })
  }
  await api.request('operator', { method: 'POST', url: '/v1/token-groups', payload: { id: 'FLEET' } })
  for (const token of [
    { value: 'Card-A', type: 'ISO14443' },
    { value: 'Card-F', type: 'ISO14443', groupId: 'FLEET' },
    { value: 'Card-B', type: 'ISO14443', status: 'blocked' },
    { value: 'Card-X', type: 'ISO14443', expiresAt: '2020-01-01T00:00:00Z' },
    { value: 'Card-S', type: 'ISO14443', expiresAt: new Date(Date.now() + hour / 2).toISOString() },
    { value: '1234', type: 'KeyCode' },
  ]) {
    const { statusCode } = await api.request('operator', { method: 'POST', url: '/v1/tokens', payload: token })
    expect(statusCode).toBe(201)
  }
})
afterAll(() => api.stop())

async function send(path: string, payload: object, station = 'CS-1') {
  const response = await api.request('operator', { method: 'POST', url: `/v1/stations/${station}/${path}`, payload })
  const body = response.json()
  if (response.statusCode !== 202)
    return { status: response.statusCode, faults: body.errors, payload: null, warnings: [] }
  const sent = (await api.request('viewer', { url: `/v1/commands/${body.id}` })).json()
  return { status: 202, action: sent.action, payload: sent.payload, warnings: body.warnings }
}
const reserve = (payload: object, station?: string) => send('reservations', { connector: 1, ...payload }, station)

test('TC_046: a token in any spelling goes out as registered, with an expiry and without an id', async () => {
  const expiresAt = inAnHour()
  expect(await reserve({ token: 'CARD-a', expiresAt })).toEqual({
    status: 202,
    action: 'ReserveNow',
    payload: { connectorId: 1, expiryDate: expiresAt, idTag: 'Card-A' },
    warnings: [],
  })
})

test('minutes count from now', async () => {
  const { payload } = await reserve({ token: 'Card-A', minutes: 15 })
  expect(Math.abs(Date.parse(payload.expiryDate) - Date.now() - 15 * 60_000)).toBeLessThan(10_000)
})

test('TC_053: the group of the token goes along, or the one that is named', async () => {
  expect((await reserve({ token: 'Card-F', minutes: 5 })).payload).toMatchObject({ parentIdTag: 'FLEET' })
  expect(await reserve({ token: 'Card-A', group: 'OTHER', minutes: 5 })).toMatchObject({
    payload: { parentIdTag: 'OTHER' },
    warnings: ['The token is not of this group.'],
  })
  expect((await reserve({ token: 'Card-F', group: 'fleet', minutes: 5 })).warnings).toEqual([])
})

test('TC_049: connector 0 goes out unless the station has said that it takes none', async () => {
  expect((await reserve({ connector: 0, token: 'Card-A', minutes: 5 }, 'CS-2')).payload).toMatchObject({
    connectorId: 0,
  })
  const name = 'ReserveConnectorZeroSupported'
  const key = {
    component: '',
    componentKey: '',
    variable: name,
    variableKey: name.toLowerCase(),
    attributeType: 'Actual',
  }
  await api.database.prisma.variable.create({
    data: { ...key, stationId: 'CS-2', value: 'False', updatedAt: new Date() },
  })
  const refused = await reserve({ connector: 0, token: 'Card-A', minutes: 5 }, 'CS-2')
  expect(refused).toMatchObject({ status: 422, faults: [{ pointer: '/connector' }] })
  expect((await reserve({ token: 'Card-A', minutes: 5 }, 'CS-2')).status).toBe(202)
})

test('every reason is named, and nothing is sent', async () => {
  const before = await api.database.prisma.command.count()
  const { status, faults } = await reserve({ token: 'nobody', expiresAt: '2020-01-01T00:00:00Z' })
  expect(status).toBe(422)
  expect(faults.map(({ pointer }: { pointer: string }) => pointer)).toEqual(['/expiresAt', '/token'])
  // A key code is a secret: what is reserved for stands in clear.
  expect((await reserve({ token: '1234', minutes: 5 })).status).toBe(422)
  expect((await reserve({ token: 'a token of more than 20 characters', minutes: 5 })).status).toBe(422)
  expect((await reserve({ token: 'Card-A' })).status).toBe(400)
  expect((await reserve({ token: 'Card-A', minutes: 5, expiresAt: inAnHour() })).status).toBe(400)
  expect((await reserve({ connector: -1, token: 'Card-A', minutes: 5 })).status).toBe(400)
  expect((await reserve({ token: 'Card-A', minutes: 5 }, 'CS-201')).status).toBe(409)
  expect(await api.database.prisma.command.count()).toBe(before)
})

test.each([
  ['Card-B', 'The token is blocked.'],
  ['Card-X', 'The token has expired.'],
  ['Card-S', 'The token expires before the reservation does.'],
])('%s can be reserved for, with a warning', async (token, warning) => {
  expect(await reserve({ token, expiresAt: inAnHour() })).toMatchObject({ status: 202, warnings: [warning] })
})

test('TC_048: a connector that is busy or out of order is asked for all the same', async () => {
  const evse = { id: newId(), stationId: 'CS-1', number: 1 }
  await api.database.prisma.evse.create({ data: evse })
  for (const status of ['Preparing', 'Unavailable', 'Faulted']) {
    const connector = { evseId: evse.id, number: 1, status }
    await api.database.prisma.connector.upsert({
      where: { evseId_number: { evseId: evse.id, number: 1 } },
      create: { id: newId(), ...connector },
      update: connector,
    })
    expect(await reserve({ token: 'Card-A', minutes: 5 })).toMatchObject({ status: 202, warnings: [] })
  }
})

test('TC_051, TC_052, UC16-Res-1: any id can be cancelled or reserved again; the answer tells what Busbar knows of it', async () => {
  const data = { id: newId(), stationId: 'CS-1', reservationId: 17, connector: 1, idTag: 'Card-A', state: 'active' }
  const rest = { expiresAt: new Date(), answer: 'accepted', requestedBy: 'key', requestedAt: new Date() }
  await api.database.prisma.reservation.create({ data: { ...data, ...rest } })

  expect(await send('reservations/cancel', { reservationId: 17 })).toMatchObject({
    action: 'CancelReservation',
    payload: { reservationId: 17 },
    warnings: [],
  })
  const unknown = ['Busbar knows no open reservation of this id at this station.']
  expect(await send('reservations/cancel', { reservationId: 18 })).toMatchObject({ status: 202, warnings: unknown })
  expect(await send('reservations/cancel', { reservationId: 17 }, 'CS-2')).toMatchObject({ warnings: unknown })
  expect(await reserve({ token: 'Card-A', minutes: 5, reservationId: 17 })).toMatchObject({
    payload: { reservationId: 17 },
    warnings: ['The station holds a reservation of this id: it is replaced.'],
  })
})

test('reservations filter and page, newest first, of one station or of all', async () => {
  await api.database.prisma.reservation.deleteMany()
  const row = (minute: number, rest: object = {}) => ({
    id: newId(),
    stationId: 'CS-1',
    reservationId: minute,
    connector: 1,
    idTag: 'Card-A',
    state: 'expired',
    answer: 'accepted',
    requestedBy: 'key',
    expiresAt: new Date(Date.UTC(2026, 0, 1, 11)),
    requestedAt: new Date(Date.UTC(2026, 0, 1, 10, minute)),
    ...rest,
  })
  const rows = [row(1), row(2, { state: 'rejected', reason: 'Occupied', connector: 0 }), row(3, { stationId: 'CS-2' })]
  await api.database.prisma.reservation.createMany({ data: rows })
  const list = async (path: string) => (await api.request('viewer', { url: `/v1/${path}` })).json()
  const ids = (page: { items: { reservationId: number }[] }) => page.items.map(({ reservationId }) => reservationId)

  const first = await list('reservations?limit=2')
  expect(ids(first)).toEqual([3, 2])
  expect(ids(await list(`reservations?limit=2&cursor=${first.nextCursor}`))).toEqual([1])
  expect(ids(await list('stations/CS-1/reservations'))).toEqual([2, 1])
  expect(ids(await list('stations/CS-1/reservations?state=rejected&connector=0&token=CARD-A'))).toEqual([2])
  expect(ids(await list('reservations?station=CS-2&reservationId=3'))).toEqual([3])
  expect((await list('stations/CS-1/reservations?limit=1')).items[0]).toEqual({
    id: rows[1]?.id,
    stationId: 'CS-1',
    reservationId: 2,
    connector: 0,
    token: 'Card-A',
    group: null,
    state: 'rejected',
    reason: 'Occupied',
    transactionId: null,
    flags: [],
    expiresAt: '2026-01-01T11:00:00.000Z',
    requestedAt: '2026-01-01T10:02:00.000Z',
    endedAt: null,
  })
})
