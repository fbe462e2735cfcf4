import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  const { prisma } = api.database
  await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id: 'CS-1' } })
  await prisma.stationState.create({ data: { stationId: 'CS-1', protocol: 'ocpp1.6' } })
  const row = (variable: string, rest: object) => ({
    stationId: 'CS-1',
    componentKey: '',
    variableKey: variable.toLowerCase(),
    attributeType: 'Actual',
    component: '',
    variable,
    updatedAt: new Date('2026-11-21T10:00:00Z'),
    ...rest,
  })
  await prisma.variable.createMany({
    data: [
      row('HeartbeatInterval', { value: '300', mutability: 'ReadWrite', pendingValue: '600' }),
      row('LightIntensity', { isUnknown: true }),
      row('VendorMode', { value: 'eco', mutability: 'ReadOnly' }),
      row('ChargingCurrentLimit', { value: '32000', mutability: 'ReadWrite' }),
    ],
  })
})
afterAll(() => api.stop())

const post = (path: string, payload: object) =>
  api.request('operator', { method: 'POST', url: `/v1/stations/CS-1/configuration/${path}`, payload })

async function payloadOf(response: { json(): { id: string } }) {
  return (await api.request('viewer', { url: `/v1/commands/${response.json().id}` })).json().payload
}

test('what a station told of its keys is listed: pending, read-only and unknown ones', async () => {
  const { items } = (await api.request('viewer', { url: '/v1/stations/CS-1/configuration' })).json()
  const updatedAt = '2026-11-21T10:00:00.000Z'

  expect(items).toEqual([
    { key: 'ChargingCurrentLimit', value: '32000', readonly: false, pendingValue: null, unknown: false, updatedAt },
    { key: 'HeartbeatInterval', value: '300', readonly: false, pendingValue: '600', unknown: false, updatedAt },
    { key: 'LightIntensity', value: null, readonly: null, pendingValue: null, unknown: true, updatedAt },
    { key: 'VendorMode', value: 'eco', readonly: true, pendingValue: null, unknown: false, updatedAt },
  ])
})

test('all keys are asked for without a list, named ones with theirs', async () => {
  expect(await payloadOf(await post('read', {}))).toEqual({})
  expect(await payloadOf(await post('read', { keys: ['VendorMode'] }))).toEqual({ key: ['VendorMode'] })
})

test.each([
  ['MeterValueSampleInterval', '60', []],
  ['metervaluesampleinterval', 60, []],
  ['MeterValueSampleInterval', '-1', ['MeterValueSampleInterval is at least 0.']],
  ['MeterValueSampleInterval', 'often', ['MeterValueSampleInterval is an integer, in seconds.']],
  ['MaxEnergyOnInvalidId', '1.5', ['MaxEnergyOnInvalidId is an integer, in Wh.']],
  ['WebSocketPingInterval', '0', []],
  ['SecurityProfile', '4', ['SecurityProfile is at most 3.']],
  ['SecurityProfile', 'high', ['SecurityProfile is an integer.']],
  ['LocalAuthorizeOffline', true, []],
  ['LocalAuthorizeOffline', 'TRUE', ['LocalAuthorizeOffline is a boolean: true or false.']],
  ['StopTxnSampledData', 'Voltage,Current.Import', []],
  ['StopTxnSampledData', '', []],
  ['StopTxnSampledData', 'Voltage, ', ['StopTxnSampledData is a list: items apart by commas, without blanks.']],
  ['ConnectorPhaseRotation', '0.RST,1.NotApplicable', []],
  [
    'ConnectorPhaseRotation',
    '0.RST, 1.RTS',
    ['ConnectorPhaseRotation is a list: items apart by commas, without blanks.'],
  ],
  ['ConnectorPhaseRotation', 'RST', ['ConnectorPhaseRotation is each connector with its rotation, as in 1.RST,2.RTS.']],
  ['CpoName', 'Any words, in any order', []],
  ['AuthorizationKey', '00112233445566778899aabbccddeeff', []],
  // Without the value: it may be a secret.
  ['AuthorizationKey', 'short', ['AuthorizationKey is 16 to 20 bytes in hexadecimal.']],
  ['StopTransactionOnEVSideDisconnect', 'false', []],
  ['StopTransactionMaxMeterValues', '9', ['StopTransactionMaxMeterValues is read-only by the standard.']],
  ['SupportedFileTransferProtocols', 'HTTP', ['SupportedFileTransferProtocols is read-only by the standard.']],
  ['NumberOfConnectors', '2', ['NumberOfConnectors is read-only by the standard.']],
  ['VendorMode', 'boost', ['The station said that VendorMode is read-only.']],
  [
    'LightIntensity',
    '101',
    ['LightIntensity is at most 100.', 'The station said that it does not know LightIntensity.'],
  ],
  ['MessageTimeout', '60', []],
  ['Colour', 'green', ['Neither the standard nor the station has named a key Colour.']],
  // Limits that are no charging profile: EVBox in dA, KEBA in mA.
  ['evb_MaxCurrent', 160, ['Neither the standard nor the station has named a key evb_MaxCurrent.']],
  ['ChargingCurrentLimit', '16000', []],
])('%s = %j is sent with the warnings %j', async (key, value, warnings) => {
  const response = await post('change', { key, value })

  expect(response.json()).toMatchObject({ action: 'ChangeConfiguration', warnings })
  expect(await payloadOf(response)).toEqual({ key, value: String(value) })
})
