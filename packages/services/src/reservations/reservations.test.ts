import { expect, test } from 'vitest'
import { ReservationsState } from './state.js'
import {
  cancelNews,
  commandId,
  decideAll,
  due,
  eventsOf,
  expiresAt,
  later,
  reserveNews,
  started,
  statusChanged,
  transactionId,
} from './testing.js'

function afterwards(...records: Parameters<typeof decideAll>[1][]) {
  const state = new ReservationsState()
  const decisions = decideAll(state, ...records)
  return { state, decisions, first: state.find(commandId(1)), events: eventsOf(decisions) }
}

const requested = reserveNews('requested', { at: 0 })
const accepted = reserveNews('accepted', { status: 'Accepted' })

test('TC_046: a reservation is requested, active, confirmed and used by the transaction that names it', () => {
  const { first, events } = afterwards(
    requested,
    accepted,
    statusChanged('Reserved', 1, { at: 5 }),
    started({ reservationId: 7 }),
  )

  expect(events).toEqual(['reservation.requested', 'reservation.active', 'reservation.used'])
  expect(first).toMatchObject({ state: 'used', transactionId, flags: [], endedAt: later(60), connector: 1 })
})

test('TC_047, F30: it expires by our own clock, once, however often its job runs', () => {
  const { state, decisions, events } = afterwards(requested, accepted, due(), due(), due(1, { at: 700 }))

  expect(events).toEqual(['reservation.requested', 'reservation.active', 'reservation.expired'])
  expect(state.find(commandId(1))).toMatchObject({ state: 'expired', endedAt: expiresAt })
  const job = { service: 'reservations', kind: 'reservation-expiry', key: commandId(1), stationId: 'CP-1' }
  expect(decisions[0]?.jobs?.put).toEqual([{ ...job, dueAt: expiresAt }])
  for (const decision of decisions.slice(2)) expect(decision.jobs?.remove).toMatchObject([job])
  expect(decisions.flatMap(({ commands = [] }) => commands)).toEqual([])
})

test('a job that runs early is put back to the expiry, and one without a reservation goes', () => {
  const { first, decisions } = afterwards(requested, accepted, due(1, { at: 500 }), due(2))

  expect(first?.state).toBe('active')
  expect(decisions[2]?.jobs).toMatchObject({ put: [{ key: commandId(1), dueAt: expiresAt }], remove: [] })
  expect(decisions[3]?.jobs).toMatchObject({ put: [], remove: [{ key: commandId(2) }] })
})

test.each(['Faulted', 'Occupied', 'Unavailable', 'Rejected'])(
  'TC_048: refused with %s it is never active, and its job goes',
  (status) => {
    const { first, events, decisions } = afterwards(requested, reserveNews('rejected', { status }))

    expect(first).toMatchObject({ state: 'rejected', reason: status })
    expect(events).toEqual(['reservation.requested', 'reservation.rejected'])
    expect(decisions[1]?.jobs?.remove).toHaveLength(1)
  },
)

test('what was never sent or answered with an error has failed', () => {
  expect(afterwards(requested, reserveNews('failed')).first).toMatchObject({ state: 'failed', reason: null })
})

test('TC_049: connector 0 is confirmed and used on any connector, and lost only with the whole station', () => {
  const sent = { connectorId: 0 }
  const reserved = [
    reserveNews('requested', { at: 0, sent }),
    reserveNews('accepted', { sent }),
    statusChanged('Reserved', 2, { at: 5 }),
    statusChanged('Faulted', 2, { at: 6 }),
  ]
  expect(afterwards(...reserved).first).toMatchObject({ state: 'active', evidence: { confirmed: {} } })
  expect(afterwards(...reserved, started({ evseNumber: 3 })).first?.state).toBe('used')
  expect(afterwards(...reserved, statusChanged('Unavailable', 0)).first).toMatchObject({
    state: 'removed',
    reason: 'Unavailable',
  })
})

test('TC_051, TC_052: a cancellation ends it when the station accepts, and not when it refuses', () => {
  expect(afterwards(requested, accepted, cancelNews('rejected', { at: 20 })).first?.state).toBe('active')
  expect(
    afterwards(requested, accepted, cancelNews('accepted', { at: 20, sent: { reservationId: 8 } })).first?.state,
  ).toBe('active')
  const { first, events } = afterwards(requested, accepted, cancelNews('accepted', { at: 20 }))
  expect(first).toMatchObject({ state: 'cancelled', endedAt: later(20) })
  expect(events.at(-1)).toBe('reservation.cancelled')
})

test('TC_053: a card of the same group uses it, and the row says that the station named no reservation', () => {
  const sent = { parentIdTag: 'FLEET' }
  const reserved = [reserveNews('requested', { at: 0, sent }), reserveNews('accepted', { sent })]
  const other = { token: { value: 'OTHER' }, groupId: 'fleet' }

  expect(afterwards(...reserved, started(other)).first).toMatchObject({ state: 'used', flags: ['inferred'] })
  expect(afterwards(...reserved, started({ ...other, groupId: 'ELSE' })).first?.state).toBe('active')
  expect(afterwards(...reserved, started({ ...other, evseNumber: 2 })).first?.state).toBe('active')
})

test('the reserved card on the reserved connector uses it although the station names no reservation', () => {
  const { first } = afterwards(requested, accepted, started({ token: { value: 'driver' } }))
  expect(first).toMatchObject({ state: 'used', flags: ['inferred'], transactionId })
})

test('what began before the reservation does not use it: an offline station tells late', () => {
  const begun = started({ startedAt: later(-60).toISOString() })
  expect(afterwards(requested, accepted, begun).first?.state).toBe('active')
})

test('a transaction told twice uses one reservation, not the next one as well', () => {
  const second = { command: 2, sent: { reservationId: 8, connectorId: 0 } }
  const { state } = afterwards(
    requested,
    accepted,
    reserveNews('requested', { ...second, at: 0 }),
    reserveNews('accepted', second),
    started(),
    started(),
  )
  expect(state.find(commandId(1))?.state).toBe('used')
  expect(state.find(commandId(2))?.state).toBe('active')
})

test.each(['Faulted', 'Unavailable'])('a connector or station that turns %s loses it', (status) => {
  for (const evse of [1, 0]) {
    const { first, events } = afterwards(requested, accepted, statusChanged(status, evse))
    expect(first).toMatchObject({ state: 'removed', reason: status })
    expect(events.at(-1)).toBe('reservation.removed')
  }
  expect(afterwards(requested, accepted, statusChanged(status, 2)).first?.state).toBe('active')
})

test('a status from before the reservation says nothing about it', () => {
  const { first } = afterwards(requested, accepted, statusChanged('Unavailable', 1, { at: -5 }))
  expect(first?.state).toBe('active')
})

test('a late answer makes an unknown reservation active, unless its time is over', () => {
  const late = reserveNews('accepted', { at: 90 })
  expect(afterwards(requested, reserveNews('unknown', { at: 60 })).first?.state).toBe('unknown')
  expect(afterwards(requested, reserveNews('unknown', { at: 60 }), late).first?.state).toBe('active')
  expect(afterwards(requested, reserveNews('unknown', { at: 60 }), due(), late).first?.state).toBe('expired')
})

test('Reserved tells that an unanswered reservation was taken', () => {
  const { first } = afterwards(requested, reserveNews('unknown', { at: 60 }), statusChanged('Reserved', 1, { at: 70 }))
  expect(first?.state).toBe('active')
})

test('UC16-Res-1: what the station accepts under the same id takes the place of the first', () => {
  const second = { command: 2, sent: { idTag: 'SECOND' }, at: 30 }
  const { state, first } = afterwards(
    requested,
    accepted,
    reserveNews('requested', second),
    reserveNews('accepted', { ...second, at: 31 }),
    started({ reservationId: 7, token: { value: 'SECOND' } }),
  )
  expect(first).toMatchObject({ state: 'removed', reason: 'Replaced', endedAt: later(31) })
  expect(state.find(commandId(2))).toMatchObject({ state: 'used', idTag: 'SECOND' })
})

test('a replacement that the station refuses leaves the first as it is', () => {
  const second = { command: 2, sent: { idTag: 'SECOND' }, at: 30 }
  const { first } = afterwards(
    requested,
    accepted,
    reserveNews('requested', second),
    reserveNews('rejected', { ...second, at: 31, status: 'Occupied' }),
  )
  expect(first?.state).toBe('active')
})

test('T13: a station that names the reservation of another one changes nothing', () => {
  const elsewhere = { station: 'CP-2' }
  const { state, first, events } = afterwards(
    requested,
    accepted,
    started({ reservationId: 7 }, elsewhere),
    started({}, elsewhere),
    statusChanged('Faulted', 0, elsewhere),
    cancelNews('accepted', { ...elsewhere, at: 20 }),
  )
  expect(first?.state).toBe('active')
  expect(events).toEqual(['reservation.requested', 'reservation.active'])
  expect(state.changed.size).toBe(1)
})

test('an id that no column holds is not kept, and does not hold up its neighbours', () => {
  const { state, events } = afterwards(reserveNews('requested', { sent: { reservationId: 2 ** 40 } }), requested)
  expect(events).toEqual(['reservation.requested'])
  expect(state.changed.size).toBe(1)
})
