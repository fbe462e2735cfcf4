import { mergeDecisions, type ReceivedEvent } from '../pipeline/parts.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'
import type { Reservation } from './reservation.js'
import type { ReservationsState } from './state.js'

/** What `transaction.started` says. */
interface StartedData {
  transactionId: string
  /** For 1.6 its connectorId. */
  evseNumber: number | null
  token: { value: string | null } | null
  groupId: string | null
  reservationId: number | null
  startedAt: string
}

/**
 * A transaction uses the reservation that it names. Where it names none, it uses what the connector was reserved for it
 * as: the station has to end that reservation all the same, whether or not it says so.
 * @see OCPP 1.6 §5.13: a reservation ends when a transaction starts for its idTag or parent idTag
 */
export function transactionStarted(
  event: ReceivedEvent,
  state: ReservationsState,
  { station, record }: DecisionContext,
): Decision {
  const data = event.data as unknown as StartedData
  const { transactionId } = data
  // Of one that was asked for only later it knows nothing: an id may be used again.
  const rows = state.ofStation(station.id).filter(({ requestedAt }) => requestedAt <= record.receivedAt)
  if (data.reservationId !== null) {
    const named = rows.findLast((row) => row.reservationId === data.reservationId && !isRefused(row))
    return named ? state.note(named, 'used', record.receivedAt, { transactionId }) : {}
  }
  const startedAt = new Date(data.startedAt)
  const isTold = rows.some(({ evidence }) => evidence.inferred?.transactionId === transactionId)
  const meant = isTold ? undefined : rows.find((row) => isMeant(row, data) && isHeldAt(row, startedAt))
  return meant ? state.note(meant, 'inferred', earlierOf(startedAt, record.receivedAt), { transactionId }) : {}
}

function isHeldAt(row: Reservation, at: Date): boolean {
  return !isRefused(row) && row.requestedAt <= at && at < row.expiresAt && (row.endedAt === null || at < row.endedAt)
}

const isRefused = ({ state }: Reservation) => state === 'rejected' || state === 'failed'

function isMeant(row: Reservation, { evseNumber, token, groupId }: StartedData): boolean {
  if (row.connector !== 0 && row.connector !== evseNumber) return false
  return isSame(token?.value, row.idTag) || isSame(groupId, row.parentIdTag)
}

/** Identifiers are compared without case (OCPP 1.6 §7.28). */
function isSame(left: string | null | undefined, right: string | null): boolean {
  return typeof left === 'string' && right !== null && left.toLowerCase() === right.toLowerCase()
}

const earlierOf = (left: Date, right: Date) => (left < right ? left : right)

/** What `station.status-changed` says, the connector in our own model: for 1.6 the EVSE's number is its connectorId. */
interface StatusData {
  evseNumber: number
  status: string
}

const ending = ['Faulted', 'Unavailable']

/**
 * Reserved confirms; Faulted and Unavailable end, on the reserved connector or on the station as a whole (connector 0).
 * A station of which one connector is out of order can still keep another one free.
 * @see OCPP 1.6 §5.13
 */
export function statusChanged(
  event: ReceivedEvent,
  state: ReservationsState,
  { station, record }: DecisionContext,
): Decision {
  const { evseNumber, status } = event.data as unknown as StatusData
  const at = record.receivedAt
  const rows = state.ofStation(station.id).filter(({ requestedAt }) => requestedAt <= at)
  if (status === 'Reserved') {
    const reserved = rows.filter(({ connector }) => connector === evseNumber || connector === 0)
    return mergeDecisions(reserved.map((row) => state.note(row, 'confirmed', at)))
  }
  if (!ending.includes(status)) return {}
  const lost = rows.filter(({ connector }) => connector === evseNumber || evseNumber === 0)
  return mergeDecisions(lost.map((row) => state.note(row, 'removed', at, { reason: status })))
}
