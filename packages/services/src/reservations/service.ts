import { composeParts, type OpenParts, type Part, toPart } from '../pipeline/parts.js'
import type { Service } from '../pipeline/service.js'
import { expire } from './expiry.js'
import { expiryJob, type ReservationsState } from './state.js'
import { loadReservations, saveReservations } from './statements.js'
import { statusChanged, transactionStarted } from './take-events.js'
import { cancelReservation, reserveNow } from './take-news.js'

export const reservationsPart: Part<ReservationsState> = {
  news: { ReserveNow: reserveNow, CancelReservation: cancelReservation },
  events: {
    'busbar.transaction.started.v1': transactionStarted,
    'busbar.station.status-changed.v1': statusChanged,
  },
  jobs: { [expiryJob]: expire },
  load: loadReservations,
  save: saveReservations,
}

/**
 * Keeps what stations hold for drivers to come. See README.md.
 *
 * Lane `busbar.ocpp.reservations` and `busbar.events`, key stationId, delivered at least once: evidence is kept by its
 * kind, so neither a repeat nor the order of the two topics changes where a reservation stands.
 */
export function createReservationsService(): Service<OpenParts> {
  return {
    name: 'reservations',
    topics: (names) => [names.lane('reservations'), names.events],
    gathered: (names) => [names.events],
    ...composeParts([toPart(reservationsPart)]),
  }
}
