import type { Decision, DecisionContext } from '../pipeline/service.js'
import { expiryJob, type ReservationsState } from './state.js'

/**
 * Ends a reservation by our own clock: 1.6 has no message for it, neither from the station nor to it. Safe to run twice,
 * and to run late: the end is the expiry itself, and what was said meanwhile of an earlier end counts.
 * @param key the reservation's `id`
 */
export function expire(key: string, state: ReservationsState, { station, now }: DecisionContext): Decision {
  const row = state.find(key)
  const job = { service: 'reservations' as const, kind: expiryJob, key, stationId: station.id, dueAt: now }
  if (!row) return { jobs: { put: [], remove: [job] } }
  if (now < row.expiresAt) return { jobs: { put: [{ ...job, dueAt: row.expiresAt }], remove: [] } }
  // Its event may have come before we knew of the reservation.
  const naming = state.findNaming(row)
  const { events = [] } = naming
    ? state.note(row, 'used', naming.createdAt, { transactionId: naming.id })
    : state.note(row, 'expired', row.expiresAt)
  return { events, jobs: { put: [], remove: [job] } }
}
