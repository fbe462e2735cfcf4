import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { ReservationsState } from './state.js'
import { cancelNews, commandId, decideAll, due, eventsOf, reserveNews, started, statusChanged } from './testing.js'

const runs = { numRuns: Number(process.env.PROPERTY_RUNS ?? 2_000) }
const requested = reserveNews('requested', { at: 0 })

/** Each at a time of its own: what happened first is no question of which came first. */
const happening = fc
  .tuple(
    fc.constantFrom<(at: number) => InboundRecord>(
      (at) => reserveNews('unknown', { at }),
      (at) => reserveNews('accepted', { at }),
      (at) => cancelNews('accepted', { at }),
      (at) => cancelNews('rejected', { at }),
      (at) => started({ reservationId: 7, transactionId: commandId(at) }, { at }),
      (at) => started({ transactionId: commandId(at) }, { at }),
      (at) => statusChanged('Reserved', 1, { at }),
      (at) => statusChanged('Faulted', 1, { at }),
      (at) => statusChanged('Unavailable', 0, { at }),
      () => due(),
    ),
    fc.integer({ min: 2, max: 590 }),
  )
  .map(([make, at]) => make(at))

const outcome = (records: readonly InboundRecord[]) => {
  const reservations = new ReservationsState()
  const events = eventsOf(decideAll(reservations, requested, ...records))
  const { state, reason, endedAt, transactionId, flags } = reservations.find(commandId(1)) ?? {}
  return { events, standing: { state, reason, endedAt, transactionId, flags } }
}

test('whatever is said of a reservation, in any order and however often, it ends in the same place', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(happening, { maxLength: 6, selector: (each) => each.receivedAt.getTime() }),
      (records) => {
        const expected = outcome(records).standing
        fc.assert(
          fc.property(fc.shuffledSubarray([...records, ...records], { minLength: records.length * 2 }), (shuffled) => {
            expect(outcome(shuffled).standing).toEqual(expected)
          }),
          { numRuns: 5 },
        )
      },
    ),
    runs,
  )
})

test('a reservation is said to be expired at most once, and never without its job', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 12 }), (records) => {
      const { events } = outcome(records)
      const expired = events.filter((type) => type === 'reservation.expired').length
      expect(expired).toBeLessThanOrEqual(records.some(({ type }) => type === 'due') ? 1 : 0)
    }),
    runs,
  )
})

test('once its time is over nothing leaves it open', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 8 }), (records) => {
      expect(['requested', 'active', 'unknown']).not.toContain(outcome([...records, due()]).standing.state)
    }),
    runs,
  )
})
