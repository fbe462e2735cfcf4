import { newId } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
const running = newId()
const nameless = newId()
const elsewhere = newId()

beforeAll(async () => {
  api = await startTestApi()
  const { prisma } = api.database
  for (const id of ['CS-1', 'CS-2']) {
    await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id } })
    await prisma.stationState.create({ data: { stationId: id, protocol: 'ocpp1.6' } })
  }
  for (const token of [
    { value: 'Card-A', type: 'ISO14443' },
    { value: 'Card-B', type: 'ISO14443', status: 'blocked' },
    { value: 'Card-C', type: 'ISO14443', expiresAt: '2020-01-01T00:00:00Z' },
    { value: 'DE-ABC-C12345678-X-of-a-contract', type: 'eMAID' },
    // A station's start is decided on as that of a card.
    { value: 'Card-D', type: 'ISO14443', status: 'blocked' },
    { value: 'Card-D', type: 'Central' },
  ]) {
    await api.request('operator', { method: 'POST', url: '/v1/tokens', payload: token })
  }
  const transaction = (id: string, stationId: string, ocppId: string | null) => ({
    id,
    stationId,
    ocppId,
    naturalKey: id,
    protocol: 'ocpp1.6',
    status: 'active',
    createdAt: new Date(),
    updatedAt: new Date(),
  })
  await prisma.chargingTransaction.createMany({
    data: [
      transaction(running, 'CS-1', '4711'),
      transaction(nameless, 'CS-1', null),
      transaction(elsewhere, 'CS-2', '4712'),
    ],
  })
  await prisma.transactionAlias.create({ data: { stationId: 'CS-1', ocppId: '4711', transactionId: running } })
})
afterAll(() => api.stop())

async function send(path: string, payload: object) {
  const response = await api.request('operator', { method: 'POST', url: `/v1/stations/CS-1/${path}`, payload })
  if (response.statusCode !== 202) return { status: response.statusCode, sent: null, warnings: [] }
  const { id, warnings } = response.json()
  const sent = (await api.request('viewer', { url: `/v1/commands/${id}` })).json()
  return { status: 202, sent: { action: sent.action, payload: sent.payload }, warnings }
}

test('a token goes out as it is registered, with the connector when one is named', async () => {
  expect(await send('remote-start', { token: 'CARD-a', connector: 2 })).toEqual({
    status: 202,
    sent: { action: 'RemoteStartTransaction', payload: { idTag: 'Card-A', connectorId: 2 } },
    warnings: [],
  })
  expect((await send('remote-start', { token: 'Card-A' })).sent?.payload).toEqual({ idTag: 'Card-A' })
})

test('a start may bring the limit for its transaction', async () => {
  const chargingProfile = {
    purpose: 'TxProfile',
    kind: 'Relative',
    stackLevel: 1,
    unit: 'A',
    periods: [{ start: 0, limit: 6 }],
  }
  const { sent } = await send('remote-start', { token: 'Card-A', connector: 1, chargingProfile })

  expect(sent?.payload).toEqual({
    idTag: 'Card-A',
    connectorId: 1,
    chargingProfile: {
      stackLevel: 1,
      chargingProfilePurpose: 'TxProfile',
      chargingProfileKind: 'Relative',
      chargingSchedule: { chargingRateUnit: 'A', chargingSchedulePeriod: [{ startPeriod: 0, limit: 6 }] },
    },
  })
  const elsewhere = { ...chargingProfile, purpose: 'TxDefaultProfile' }
  expect((await send('remote-start', { token: 'Card-A', chargingProfile: elsewhere })).status).toBe(422)
})

test.each([
  ['Card-Z', 'Card-Z', 'The token is not registered.'],
  ['card-b', 'Card-B', 'The token is blocked.'],
  ['card-c', 'Card-C', 'The token has expired.'],
  ['card-d', 'Card-D', 'The token is blocked.'],
])('a start for %s is sent with a warning', async (token, idTag, warning) => {
  const { sent, warnings } = await send('remote-start', { token })

  expect(sent?.payload).toEqual({ idTag })
  expect(warnings).toEqual([warning])
})

test.each(['Finishing', 'Available', 'Faulted'])(
  'a start goes to a connector that says %s: the station decides',
  async (status) => {
    const where = { stationId: 'CS-1', number: 1 }
    const evse = await api.database.prisma.evse.upsert({
      where: { stationId_number: where },
      create: { id: newId(), ...where },
      update: {},
    })
    const connector = { evseId: evse.id, number: 1, status }
    await api.database.prisma.connector.upsert({
      where: { evseId_number: { evseId: evse.id, number: 1 } },
      create: { id: newId(), ...connector },
      update: connector,
    })

    expect(await send('remote-start', { token: 'Card-A', connector: 1 })).toMatchObject({ status: 202, warnings: [] })
  },
)

test('no start goes to connector 0, nor with a token that 1.6 cannot carry', async () => {
  expect((await send('remote-start', { token: 'Card-A', connector: 0 })).status).toBe(400)
  expect((await send('remote-start', { token: 'DE-ABC-C12345678-X-of-a-contract' })).status).toBe(422)
})

test('a stop by our own id names the one that the station knows', async () => {
  expect(await send('remote-stop', { transaction: running })).toEqual({
    status: 202,
    sent: { action: 'RemoteStopTransaction', payload: { transactionId: 4711 } },
    warnings: [],
  })
})

test('a stop needs a transaction of this station that the station has an id of', async () => {
  expect((await send('remote-stop', { transaction: elsewhere })).status).toBe(404)
  expect((await send('remote-stop', { transaction: newId() })).status).toBe(404)
  expect((await send('remote-stop', { transaction: nameless })).status).toBe(422)
})

test('any id of OCPP can be stopped, an unknown one with a warning', async () => {
  expect(await send('remote-stop', { transactionId: 4711 })).toMatchObject({ status: 202, warnings: [] })
  const { sent, warnings } = await send('remote-stop', { transactionId: -7 })

  expect(sent?.payload).toEqual({ transactionId: -7 })
  expect(warnings).toEqual(['This station has no transaction of this id.'])
})
