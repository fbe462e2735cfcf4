import { expect, test } from 'vitest'
import { Gate, refusalToSend } from './gate.js'

const windowMs = 60_000
const accepted = { status: 'Accepted' }

test('only BootNotification passes at first', () => {
  const gate = new Gate(windowMs)

  expect(gate.admits('BootNotification', {}, 0)).toBe(true)
  expect(gate.admits('StatusNotification', {}, 0)).toBe(false)
  expect(gate.admits('Heartbeat', {}, 0)).toBe(false)
})

test('a trigger the station accepted lets its message pass, for a while', () => {
  const gate = new Gate(windowMs)

  gate.answered('TriggerMessage', { requestedMessage: 'StatusNotification' }, accepted, 1_000)

  expect(gate.admits('StatusNotification', {}, 61_000)).toBe(true)
  expect(gate.admits('StatusNotification', {}, 61_001)).toBe(false)
  expect(gate.admits('MeterValues', {}, 1_000)).toBe(false)
})

test('a trigger the station refused opens nothing', () => {
  const gate = new Gate(windowMs)

  gate.answered('TriggerMessage', { requestedMessage: 'Heartbeat' }, { status: 'Rejected' }, 0)

  expect(gate.admits('Heartbeat', {}, 0)).toBe(false)
})

test.each([
  ['TriggerMessage', 'SignChargingStationCertificate', 'SignCertificate'],
  ['TriggerMessage', 'SignV2GCertificate', 'SignCertificate'],
  ['TriggerMessage', 'FirmwareStatusNotification', 'FirmwareStatusNotification'],
  ['ExtendedTriggerMessage', 'SignChargePointCertificate', 'SignCertificate'],
  ['ExtendedTriggerMessage', 'FirmwareStatusNotification', 'SignedFirmwareStatusNotification'],
])('%s of %s brings %s', (action, requestedMessage, brought) => {
  const gate = new Gate(windowMs)

  gate.answered(action, { requestedMessage }, accepted, 0)

  expect(gate.admits(brought, {}, 0)).toBe(true)
})

test('reports pass under the requestId we asked with', () => {
  const gate = new Gate(windowMs)

  gate.answered('GetBaseReport', { requestId: 7 }, accepted, 0)
  gate.answered('GetMonitoringReport', { requestId: 8 }, accepted, 0)

  expect(gate.admits('NotifyReport', { requestId: 7 }, 1e9)).toBe(true)
  expect(gate.admits('NotifyReport', { requestId: 8 }, 0)).toBe(false)
  expect(gate.admits('NotifyMonitoringReport', { requestId: 8 }, 0)).toBe(true)
})

test.each([
  ['ocpp1.6', 'Accepted', 'RemoteStartTransaction', {}, true],
  ['ocpp1.6', 'Pending', 'RemoteStartTransaction', {}, false],
  ['ocpp1.6', 'Pending', 'GetConfiguration', {}, true],
  ['ocpp1.6', 'Rejected', 'GetConfiguration', {}, false],
  ['ocpp1.6', 'Rejected', 'TriggerMessage', { requestedMessage: 'BootNotification' }, false],
  ['ocpp2.0.1', null, 'RequestStopTransaction', {}, false],
  ['ocpp2.0.1', 'Pending', 'SetVariables', {}, true],
  ['ocpp2.0.1', 'Rejected', 'SetVariables', {}, false],
  ['ocpp2.0.1', 'Rejected', 'TriggerMessage', { requestedMessage: 'BootNotification' }, true],
] as const)('%s, %s: %s %o is sent: %s', (protocol, registration, action, payload, isSent) => {
  expect(refusalToSend(protocol, registration, action, payload) === null).toBe(isSent)
})
