import { newId } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id: 'CS-1' } })
  await api.database.prisma.stationState.create({ data: { stationId: 'CS-1', protocol: 'ocpp1.6' } })
  await api.database.prisma.protocolAddress.createMany({
    data: [0, 1].map((connectorNumber) => ({
      stationId: 'CS-1',
      protocol: 'ocpp1.6',
      evseNumber: 0,
      connectorNumber,
      connectorId: newId(),
    })),
  })
})
afterAll(() => api.stop())

const trigger = (payload: object) =>
  api.request('operator', { method: 'POST', url: '/v1/stations/CS-1/trigger', payload })

test.each([
  [{ message: 'Heartbeat' }, 'TriggerMessage', { requestedMessage: 'Heartbeat' }],
  [{ message: 'MeterValues', connector: 1 }, 'TriggerMessage', { requestedMessage: 'MeterValues', connectorId: 1 }],
  [
    { message: 'FirmwareStatusNotification', extended: true },
    'ExtendedTriggerMessage',
    { requestedMessage: 'FirmwareStatusNotification' },
  ],
  [{ message: 'LogStatusNotification' }, 'ExtendedTriggerMessage', { requestedMessage: 'LogStatusNotification' }],
  [
    { message: 'SignChargePointCertificate' },
    'ExtendedTriggerMessage',
    { requestedMessage: 'SignChargePointCertificate' },
  ],
])('%j becomes %s', async (body, action, payload) => {
  const response = await trigger(body)

  expect(response.json()).toMatchObject({ action, warnings: [] })
  const sent = await api.request('viewer', { url: `/v1/commands/${response.json().id}` })
  expect(sent.json().payload).toEqual(payload)
})

test('a connector that nobody has heard of is triggered with a warning', async () => {
  const response = await trigger({ message: 'MeterValues', connector: 3 })

  expect(response.statusCode).toBe(202)
  expect(response.json().warnings).toEqual(['The station has never named a connector 3.'])
})

test.each([
  { message: 'DiagnosticsStatusNotification', extended: true },
  { message: 'LogStatusNotification', extended: false },
  { message: 'SignChargePointCertificate', connector: 1 },
])('%j is no trigger of 1.6', async (body) => {
  expect((await trigger(body)).statusCode).toBe(422)
})
