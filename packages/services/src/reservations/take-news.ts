import { type Payload, parseTimestamp } from '@busbar/ocpp'
import type { CommandNews } from '../pipeline/command-news.js'
import { isStorableNumber } from '../pipeline/numbers.js'
import { mergeDecisions } from '../pipeline/parts.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'

import { answers, type Reservation } from './reservation.js'
import type { ReservationsState } from './state.js'

/**
 * Keeps a reservation from the moment it is on its way. Each ReserveNow is a row of its own; the one that the station
 * accepted last under an id takes the place of the others.
 * @see OCPP 1.6 §5.13
 */
export function reserveNow(
  news: CommandNews,
  state: ReservationsState,
  { station, record }: DecisionContext,
): Decision {
  const { reservationId, connectorId } = news.sent
  if (!isNumber(reservationId) || !isNumber(connectorId)) return {}
  const at = record.receivedAt
  const row = state.find(news.commandId) ?? toRequested(news, station.id, reservationId, connectorId, at)
  const isMore = answers.indexOf(news.stage) > answers.indexOf(row.answer)
  const decision = state.put(row, {
    requestedAt: at < row.requestedAt ? at : row.requestedAt,
    ...(isMore && { answer: news.stage, reason: news.stage === 'rejected' ? textOf(news.response.status) : null }),
  })
  const others = news.stage === 'accepted' ? state.ofStation(station.id).filter((each) => isReplaced(each, row)) : []
  return mergeDecisions([decision, ...others.map((each) => state.note(each, 'replaced', at))])
}

function isReplaced(other: Reservation, { id, reservationId, requestedAt }: Reservation): boolean {
  return other.id !== id && other.reservationId === reservationId && other.requestedAt <= requestedAt
}

/**
 * A cancellation that the station accepted ends what it holds under this id; a refused one changes nothing.
 * @see OCPP 1.6 §5.1
 */
export function cancelReservation(news: CommandNews, state: ReservationsState, context: DecisionContext): Decision {
  const { station, record } = context
  if (news.stage !== 'accepted') return {}
  const cancelled = state
    .ofStation(station.id)
    .filter((row) => row.reservationId === news.sent.reservationId && row.requestedAt <= record.receivedAt)
  return mergeDecisions(cancelled.map((row) => state.note(row, 'cancelled', record.receivedAt)))
}

function toRequested(
  { commandId, sent, requestedBy }: CommandNews,
  stationId: string,
  reservationId: number,
  connector: number,
  at: Date,
): Reservation {
  return {
    id: commandId,
    stationId,
    reservationId,
    connector,
    idTag: textOf(sent.idTag),
    parentIdTag: sent.parentIdTag === undefined ? null : textOf(sent.parentIdTag),
    expiresAt: parseTimestamp((sent as Payload).expiryDate, at).at,
    answer: 'requested',
    evidence: {},
    requestedBy,
    requestedAt: at,
    state: 'requested',
    reason: null,
    transactionId: null,
    flags: [],
    endedAt: null,
  }
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && isStorableNumber(value)
const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
