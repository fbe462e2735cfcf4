import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { decisionContext, inboundCall } from '../pipeline/testing.js'
import type { StationsState } from './state.js'
import { decideRecord, stationsState } from './testing.js'

const receivedAt = new Date('2026-03-01T10:00:00Z')

let ids = 0
function decide(record: InboundRecord, state: StationsState) {
  return decideRecord(record, state, decisionContext(record, { newId: () => `id-${++ids}` }))
}

function status16(state: StationsState, payload: object, overrides: Partial<InboundRecord> = {}) {
  const request = { connectorId: 1, errorCode: 'NoError', status: 'Available', ...payload }
  return decide(inboundCall('StatusNotification', request, { protocol: 'ocpp1.6', receivedAt, ...overrides }), state)
}

function status201(state: StationsState, payload: object, overrides: Partial<InboundRecord> = {}) {
  const request = {
    evseId: 1,
    connectorId: 1,
    connectorStatus: 'Available',
    timestamp: '2026-03-01T09:00:00Z',
    ...payload,
  }
  return decide(inboundCall('StatusNotification', request, { receivedAt, ...overrides }), state)
}

function notifyEvent(state: StationsState, ...eventData: object[]) {
  const events = eventData.map((event, index) => ({
    eventId: index,
    timestamp: '2026-03-01T09:00:00Z',
    trigger: 'Delta',
    eventNotificationType: 'HardWiredNotification',
    variable: { name: 'AvailabilityState' },
    ...event,
  }))
  const payload = { generatedAt: '2026-03-01T09:00:00Z', seqNo: 0, eventData: events }
  return decide(inboundCall('NotifyEvent', payload, { receivedAt }), state)
}

test('1.6 connector n is EVSE n, connector 1; 0 is the station; unknown ones are created', () => {
  const state = stationsState()

  status16(state, { connectorId: 0, status: 'Available' })
  status16(state, { connectorId: 2, status: 'Charging' })

  expect(state.findConnector('CP-1', 0, 0)?.status).toBe('Available')
  expect(state.findConnector('CP-1', 2, 1)?.status).toBe('Charging')
  expect([...state.newEvses].map(({ number }) => number)).toEqual([0, 2])
})

test('a station that was updated to 2.0.1 finds its connectors again', () => {
  const state = stationsState()
  status16(state, { connectorId: 2, status: 'Charging' })

  status201(state, { evseId: 2, connectorId: 1, connectorStatus: 'Occupied', timestamp: '2026-03-01T10:00:00Z' })

  expect(state.changedConnectors.size).toBe(1)
  expect(
    [...state.newAddresses].map(({ protocol, evseNumber, connectorNumber }) => [protocol, evseNumber, connectorNumber]),
  ).toEqual([
    ['ocpp1.6', 0, 2],
    ['ocpp2.0.1', 2, 1],
  ])
  expect(state.findConnector('CP-1', 2, 1)?.status).toBe('Occupied')
})

test('a connector that an operator grouped otherwise is found by its address', () => {
  const evse = { id: 'evse-1', stationId: 'CP-1', number: 1 }
  const blank = { status: null, errorCode: null, info: null, vendorId: null, vendorErrorCode: null, statusAt: null }
  const state = stationsState({
    evses: [evse],
    connectors: [
      { ...blank, id: 'left', evseId: 'evse-1', number: 1 },
      { ...blank, id: 'right', evseId: 'evse-1', number: 2 },
    ],
    addresses: [{ stationId: 'CP-1', protocol: 'ocpp1.6', evseNumber: 0, connectorNumber: 2, connectorId: 'right' }],
  })

  status16(state, { connectorId: 2, status: 'Charging' })

  expect(state.findConnector('CP-1', 1, 2)?.status).toBe('Charging')
  expect(state.newEvses.size).toBe(0)
})

test('a change is an event, a repetition is none', () => {
  const state = stationsState()

  const first = status16(state, {
    status: 'Faulted',
    errorCode: 'GroundFailure',
    info: 'wet',
    timestamp: '2026-03-01T09:59:00Z',
  })
  const again = status16(state, {
    status: 'Faulted',
    errorCode: 'GroundFailure',
    info: 'wet',
    timestamp: '2026-03-01T09:59:30Z',
  })

  expect(first.events).toEqual([
    {
      type: 'station.status-changed',
      subject: 'evse/1/connector/1',
      time: new Date('2026-03-01T09:59:00Z'),
      data: expect.objectContaining({
        evseNumber: 1,
        connectorNumber: 1,
        previousStatus: null,
        status: 'Faulted',
        errorCode: 'GroundFailure',
        info: 'wet',
      }),
    },
  ])
  expect(again.events).toEqual([])
  expect(again.answer).toEqual({ result: {} })
})

test('an older report never overwrites a newer one', () => {
  const state = stationsState()
  status201(state, { connectorStatus: 'Occupied', timestamp: '2026-03-01T09:30:00Z' })

  const late = status201(state, { connectorStatus: 'Available', timestamp: '2026-03-01T09:00:00Z' })

  expect(late).toEqual({ answer: { result: {} }, events: [] })
  expect(state.findConnector('CP-1', 1, 1)?.status).toBe('Occupied')
})

test.each([
  ['that is ahead', '2027-01-01T00:00:00Z'],
  ['that was never set', '1970-01-01T00:00:05Z'],
  ['that is no time', '0'],
  ['that is missing', undefined],
])('a station clock %s counts as the time of receipt', (_what, timestamp) => {
  const state = stationsState()
  status16(state, { status: 'Preparing', timestamp })

  status16(
    state,
    { status: 'Charging', timestamp: '2026-03-01T10:00:05Z' },
    { receivedAt: new Date('2026-03-01T10:00:06Z') },
  )

  expect(state.findConnector('CP-1', 1, 1)?.status).toBe('Charging')
})

test('a clock that a reboot set back holds no report up', () => {
  const state = stationsState()
  const statusOf = () => state.findConnector('CP-1', 1, 1)?.status
  const after = (seconds: number) => ({ receivedAt: new Date(receivedAt.getTime() + seconds * 1000) })
  status16(state, { status: 'Charging', timestamp: '2026-03-01T09:59:00Z' })
  state.changeState('CP-1', { lastBootAt: receivedAt })

  status16(state, { status: 'Available', timestamp: '2026-03-01T07:00:05Z' }, after(5))
  expect(statusOf()).toBe('Available')
  status16(state, { status: 'Preparing', timestamp: '2026-03-01T07:01:00Z' }, after(60))
  expect(statusOf()).toBe('Preparing')
  // Its clock is right again: from here on its times order the reports.
  status16(state, { status: 'Charging', timestamp: '2026-03-01T10:02:00Z' }, after(120))
  status16(state, { status: 'Available', timestamp: '2026-03-01T10:01:30Z' }, after(121))
  expect(statusOf()).toBe('Charging')
})

test('a report from before the boot that is decided again changes nothing', () => {
  const state = stationsState()
  status16(state, { status: 'Charging', timestamp: '2026-03-01T09:59:00Z' })
  state.changeState('CP-1', { lastBootAt: new Date('2026-03-01T11:00:00Z') })

  status16(state, { status: 'Available', timestamp: '2026-03-01T09:00:00Z' })

  expect(state.findConnector('CP-1', 1, 1)?.status).toBe('Charging')
})

test('in whatever order reports arrive, the one with the latest time stands', () => {
  const report = fc.record({
    minute: fc.integer({ min: 0, max: 59 }),
    status: fc.constantFrom('Available', 'Occupied', 'Faulted'),
  })
  fc.assert(
    fc.property(fc.uniqueArray(report, { selector: ({ minute }) => minute, minLength: 1 }), (reports) => {
      const state = stationsState()
      for (const { minute, status } of reports) {
        status201(state, { connectorStatus: status, timestamp: `2026-03-01T09:${String(minute).padStart(2, '0')}:00Z` })
      }
      const latest = reports.reduce((a, b) => (a.minute > b.minute ? a : b))
      expect(state.findConnector('CP-1', 1, 1)?.status).toBe(latest.status)
    }),
  )
})

test('AvailabilityState feeds the same model, whatever the case of its names', () => {
  const state = stationsState()

  notifyEvent(
    state,
    {
      actualValue: 'Occupied',
      component: { name: 'CONNECTOR', evse: { id: 1, connectorId: 1 } },
      variable: { name: 'availabilitystate' },
    },
    { actualValue: 'Unavailable', component: { name: 'EVSE', evse: { id: 2 } } },
    { actualValue: 'Available', component: { name: 'ChargingStation' } },
    {
      actualValue: '55',
      component: { name: 'Connector', evse: { id: 3, connectorId: 1 } },
      variable: { name: 'Temperature' },
    },
    { actualValue: 'Available', component: { name: 'Connector' } },
  )

  expect(state.findConnector('CP-1', 1, 1)?.status).toBe('Occupied')
  expect(state.findConnector('CP-1', 2, 0)?.status).toBe('Unavailable')
  expect(state.findConnector('CP-1', 0, 0)?.status).toBe('Available')
  expect(state.changedConnectors.size).toBe(3)
})

test('a status that came both ways is one event', () => {
  const state = stationsState()
  const occupied = { actualValue: 'Occupied', component: { name: 'Connector', evse: { id: 1, connectorId: 1 } } }

  const first = status201(state, { connectorStatus: 'Occupied' })
  const second = notifyEvent(state, occupied)

  expect([first.events?.length, second.events?.length]).toEqual([1, 0])
})

test('numbers no connector can have are passed over, and a station cannot fill the table', () => {
  const state = stationsState()

  status16(state, { connectorId: -1 })
  status16(state, { connectorId: 3_000_000_000 })
  for (let connectorId = 1; connectorId <= 600; connectorId++) status16(state, { connectorId })

  expect(state.connectorCount('CP-1')).toBe(500)
})
