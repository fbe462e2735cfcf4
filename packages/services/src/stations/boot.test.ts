import { validate } from '@busbar/ocpp'
import { expect, test } from 'vitest'
import { decisionContext, inboundCall } from '../pipeline/testing.js'
import type { StationsState } from './state.js'
import { decideRecord, stationPolicy, stationsState } from './testing.js'

const now = new Date('2026-03-01T10:00:00.123Z')

function boot201(
  state: StationsState,
  chargingStation: object = { vendorName: 'ACME', model: 'One' },
  reason = 'PowerUp',
) {
  const record = inboundCall('BootNotification', { reason, chargingStation })
  return decideRecord(record, state, decisionContext(record, { now }))
}

function boot16(state: StationsState, payload: object) {
  const record = inboundCall('BootNotification', payload, { protocol: 'ocpp1.6' })
  return decideRecord(record, state, decisionContext(record, { now }))
}

const statusOf = (decision: { answer?: unknown }) => (decision.answer as { result: { status: string } }).result.status

test('an accepted station is told the time and its heartbeat interval', () => {
  const state = stationsState({ policies: [stationPolicy({ heartbeatIntervalSeconds: 120 })] })

  const decision = boot201(state)

  const result = { currentTime: '2026-03-01T10:00:00.123Z', interval: 120, status: 'Accepted' }
  expect(decision.answer).toEqual({ result })
  expect(validate('ocpp2.0.1', 'BootNotification', 'response', result, 'outbound')).toEqual([])
  expect(validate('ocpp1.6', 'BootNotification', 'response', result, 'outbound')).toEqual([])
})

test('an accepted station never gets the interval 0', () => {
  const state = stationsState({ policies: [stationPolicy({ heartbeatIntervalSeconds: 0 })] })

  expect(boot201(state).answer).toMatchObject({ result: { status: 'Accepted', interval: 300 } })
})

test.each([
  ['reject', ['Rejected', 'Rejected']],
  ['pending', ['Pending', 'Pending']],
  ['onboarding', ['Pending', 'Accepted', 'Accepted']],
  ['accept', ['Accepted', 'Accepted']],
])('under the policy %s the boots are answered %j', (registrationPolicy, expected) => {
  const state = stationsState({ policies: [stationPolicy({ registrationPolicy, pendingIntervalSeconds: 7 })] })

  const answers = expected.map(() => boot201(state))

  expect(answers.map(statusOf)).toEqual(expected)
  expect(answers[0]?.answer).toMatchObject({
    result: { interval: statusOf(answers[0] ?? {}) === 'Accepted' ? 300 : 7 },
  })
  expect(state.stateOf('CP-1').registration).toBe(expected.at(-1))
})

test('a pending station that is released is accepted at its next boot', () => {
  const policy = stationPolicy({ registrationPolicy: 'pending' })
  const state = stationsState({ policies: [policy] })
  boot201(state)

  policy.registrationPolicy = 'accept'

  expect(statusOf(boot201(state))).toBe('Accepted')
})

test('a station nobody registered is rejected', () => {
  expect(statusOf(boot201(stationsState({ policies: [] })))).toBe('Rejected')
})

test('what a 2.0.1 station says of itself is kept, however long, and told', () => {
  const state = stationsState()
  const serialNumber = 'S'.repeat(200)
  const modem = { iccid: '8949', imsi: '2620' }

  const { events } = boot201(state, { vendorName: 'ACME', model: 'One', serialNumber, firmwareVersion: '1.2', modem })

  const said = { bootReason: 'PowerUp', vendor: 'ACME', model: 'One', serialNumber, firmwareVersion: '1.2', ...modem }
  expect(state.stateOf('CP-1')).toMatchObject({ ...said, bootCount: 1 })
  expect(events).toEqual([
    {
      type: 'station.booted',
      subject: 'station',
      data: expect.objectContaining({ ...said, registration: 'Accepted', bootCount: 1, protocol: 'ocpp2.0.1' }),
    },
  ])
})

test('what a 1.6 station says of itself is kept; the deprecated serial number counts when it is the only one', () => {
  const state = stationsState()

  boot16(state, { chargePointVendor: 'ACME', chargePointModel: 'One', chargeBoxSerialNumber: 'B-7', meterType: 'M' })

  expect(state.stateOf('CP-1')).toMatchObject({ vendor: 'ACME', model: 'One', serialNumber: 'B-7', meterType: 'M' })
})

test('1.6: everything a station says of itself is kept', () => {
  const state = stationsState()
  const said = {
    firmwareVersion: '1.2',
    iccid: '89490200001',
    imsi: '26201',
    meterType: 'M',
    meterSerialNumber: 'M-1',
  }
  const vendor = { chargePointVendor: 'ACME', chargePointModel: 'One' }

  boot16(state, { ...vendor, chargePointSerialNumber: 'P-9', chargeBoxSerialNumber: 'B-7', ...said })

  const serials = { serialNumber: 'P-9', chargeBoxSerialNumber: 'B-7' }
  expect(state.stateOf('CP-1')).toMatchObject({ vendor: 'ACME', model: 'One', ...serials, ...said })
})

test('boots are counted and keep the connection as it is', () => {
  const state = stationsState()
  state.changeState('CP-1', { online: true, connectionId: 'c', epoch: 5n })

  boot201(state)
  boot201(state)

  expect(state.stateOf('CP-1')).toMatchObject({ bootCount: 2, online: true, connectionId: 'c', epoch: 5n })
})

test('stations that were turned away together come back apart, and none too early', () => {
  const waits = Array.from({ length: 50 }, (_, index) => {
    const id = `CP-${index}`
    const state = stationsState({ policies: [stationPolicy({ id, registrationPolicy: 'pending' })] })
    const request = { reason: 'PowerUp', chargingStation: { vendorName: 'ACME', model: 'One' } }
    const record = inboundCall('BootNotification', request, { stationId: id })
    const decide = () => decideRecord(record, state, decisionContext(record, { now }))
    return (decide().answer as { result: { interval: number } }).result.interval
  })

  expect(Math.min(...waits)).toBeGreaterThanOrEqual(60)
  expect(Math.max(...waits)).toBeLessThanOrEqual(66)
  expect(new Set(waits).size).toBeGreaterThan(4)
})
