import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { decisionContext } from '../pipeline/testing.js'
import type { StationsState } from './state.js'
import { connectionRecord, decideRecord, stationPolicy, stationsState } from './testing.js'

const decide = (record: InboundRecord, state: StationsState) => decideRecord(record, state, decisionContext(record))
const at = (time: string) => new Date(`2026-03-01T${time}Z`)

test('a connection puts its station online and says where', () => {
  const state = stationsState()
  const payload = { remoteAddress: '192.0.2.7', securityProfile: 1 }

  const { events } = decide(connectionRecord('connected', 5, { payload, receivedAt: at('10:00:00') }), state)

  expect(state.stateOf('CP-1')).toMatchObject({
    online: true,
    gatewayId: 'gateway-1',
    connectionId: 'connection-5',
    epoch: 5n,
    protocol: 'ocpp2.0.1',
    remoteAddress: '192.0.2.7',
    connectedAt: at('10:00:00'),
    lastSeenAt: at('10:00:00'),
    registration: null,
  })
  expect(events?.map(({ type }) => type)).toEqual(['station.connected'])
})

test('a close puts the station offline', () => {
  const state = stationsState()
  decide(connectionRecord('connected', 5), state)

  const { events } = decide(connectionRecord('disconnected', 5, { payload: { code: 1000, reason: 'bye' } }), state)

  expect(state.stateOf('CP-1')).toMatchObject({ online: false, gatewayId: null })
  expect(events?.[0]).toMatchObject({ type: 'station.disconnected', data: { code: 1000, reason: 'bye' } })
})

test('the late close of an older connection leaves the newcomer online', () => {
  const state = stationsState()
  decide(connectionRecord('connected', 5), state)
  decide(connectionRecord('connected', 6), state)

  const decision = decide(connectionRecord('disconnected', 5), state)

  expect(decision).toEqual({})
  expect(state.stateOf('CP-1')).toMatchObject({ online: true, connectionId: 'connection-6', epoch: 6n })
})

test('a close whose connection was never logged still ends an older one', () => {
  const state = stationsState()
  decide(connectionRecord('connected', 5), state)

  decide(connectionRecord('disconnected', 6), state)

  expect(state.stateOf('CP-1')).toMatchObject({ online: false, epoch: 6n })
})

test('a sign of life moves lastSeenAt and is no event', () => {
  const state = stationsState()
  decide(connectionRecord('connected', 5, { receivedAt: at('10:00:00') }), state)

  const decision = decide(connectionRecord('presence', 5, { receivedAt: at('10:01:00') }), state)

  expect(decision).toEqual({})
  expect(state.stateOf('CP-1').lastSeenAt).toEqual(at('10:01:00'))
})

test('a gateway that was taken for dead brings its stations back with the next sign of life', () => {
  const state = stationsState()
  decide(connectionRecord('connected', 5, { payload: { remoteAddress: 'a' }, receivedAt: at('10:00:00') }), state)
  decide(connectionRecord('disconnected', 5), state)

  const { events } = decide(connectionRecord('presence', 5, { receivedAt: at('10:01:00') }), state)

  expect(events?.map(({ type }) => type)).toEqual(['station.connected'])
  expect(state.stateOf('CP-1')).toMatchObject({ online: true, remoteAddress: 'a', connectedAt: at('10:00:00') })
})

test('a connection that is registered again under a new epoch is no event', () => {
  const state = stationsState()
  decide(connectionRecord('connected', 5, { connectionId: 'c' }), state)

  const decision = decide(connectionRecord('connected', 6, { connectionId: 'c' }), state)

  expect(decision).toEqual({})
  expect(state.stateOf('CP-1')).toMatchObject({ online: true, connectionId: 'c', epoch: 6n })
})

test('however the records of several connections mix, the newest connection decides', () => {
  const anyRecord = fc.record({
    type: fc.constantFrom('connected', 'disconnected', 'presence'),
    epoch: fc.integer({ min: 1, max: 4 }),
  })
  fc.assert(
    fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 12 }), (history) => {
      const state = stationsState()
      for (const { type, epoch } of history) decide(connectionRecord(type, epoch), state)

      const newest = Math.max(...history.map(({ epoch }) => epoch))
      const lastWord = history.findLast(({ epoch }) => epoch === newest)
      expect(state.stateOf('CP-1')).toMatchObject({
        epoch: BigInt(newest),
        online: lastWord?.type !== 'disconnected',
        connectionId: `connection-${newest}`,
      })
    }),
  )
})

test.each([
  ['accept', 'Accepted'],
  ['reject', null],
  ['pending', null],
])('a fleet that never boots: under the policy %s its first connection is %s', (registrationPolicy, expected) => {
  const state = stationsState({ policies: [stationPolicy({ acceptWithoutBoot: true, registrationPolicy })] })

  decide(connectionRecord('connected', 5), state)

  expect(state.stateOf('CP-1').registration).toBe(expected)
})

test('a boot that got a safe answer is registered as the station was told', () => {
  const state = stationsState()
  const payload = { sequence: 1, answer: { status: 'Rejected', interval: 60, currentTime: '2026-03-01T10:00:00Z' } }

  decide(connectionRecord('answered', 5, { action: 'BootNotification', payload }), state)

  expect(state.stateOf('CP-1').registration).toBe('Rejected')
})

test('a record type from a later version of the gateway is passed over', () => {
  expect(decide(connectionRecord('constructor', 5), stationsState())).toEqual({})
})

const sentTypes = ({ records }: { records?: { headers: Record<string, string> }[] }) =>
  records?.map(({ headers }) => [headers.type, headers.epoch])

test('the commands service hears of a connection whose end nobody logged', () => {
  const state = stationsState()
  expect(sentTypes(decide(connectionRecord('connected', 5), state))).toBeUndefined()
  expect(sentTypes(decide(connectionRecord('connected', 6), state))).toEqual([['superseded', '6']])
  // The same connection under a new epoch, after Redis was away.
  const again = connectionRecord('connected', 7, { connectionId: 'connection-6' })
  expect(sentTypes(decide(again, state))).toBeUndefined()
  expect(sentTypes(decide(connectionRecord('connected', 3), state))).toBeUndefined()
  decide(connectionRecord('disconnected', 7), state)
  expect(sentTypes(decide(connectionRecord('connected', 8), state))).toBeUndefined()
})

test('the commands service hears of a pending password that opened the door', () => {
  const login = (secretSlot: string) => connectionRecord('connected', 5, { payload: { secretSlot } })
  expect(sentTypes(decide(login('current'), stationsState()))).toBeUndefined()
  expect(sentTypes(decide(login('pending'), stationsState()))).toEqual([['password-used', '5']])
})

test('the highest profile a station proved stays, and what proved it is in the event', () => {
  const state = stationsState()
  const connect = (epoch: number, securityProfile: number, receivedAt: Date) =>
    decide(
      connectionRecord('connected', epoch, { payload: { securityProfile, certificateFingerprint: 'ab' }, receivedAt }),
      state,
    )

  const { events } = connect(1, 2, at('10:00:00'))
  connect(2, 1, at('10:01:00'))
  decide(connectionRecord('presence', 3, { receivedAt: at('10:02:00') }), state)
  expect(state.stateOf('CP-1')).toMatchObject({ securityProfile: 2, profileProvenAt: at('10:00:00') })
  connect(4, 3, at('10:03:00'))

  expect(state.stateOf('CP-1')).toMatchObject({ securityProfile: 3, profileProvenAt: at('10:03:00') })
  expect(events?.[0]?.data).toMatchObject({ securityProfile: 2, certificateFingerprint: 'ab' })
})

test('what was proved before the operator chose a profile binds no more', () => {
  const profileSetAt = at('11:00:00')
  const before = { securityProfile: 3, profileProvenAt: at('10:00:00') }
  const state = stationsState({ policies: [stationPolicy({ profileSetAt })] })
  state.changeState('CP-1', before)

  decide(connectionRecord('connected', 1, { payload: { securityProfile: 1 }, receivedAt: at('11:00:01') }), state)
  expect(state.stateOf('CP-1')).toMatchObject({ securityProfile: 1, profileProvenAt: at('11:00:01') })
})
