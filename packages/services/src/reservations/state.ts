import type { Decision, EventDraft } from '../pipeline/service.js'
import { addFact, type Evidence, type FactDetails, isOpen, type Reservation, toStanding } from './reservation.js'

/** A transaction that names a reservation. */
export interface NamingTransaction {
  stationId: string
  reservationId: number
  id: string
  createdAt: Date
}

/** Reservations of a batch, as loaded and as changed since. */
export class ReservationsState {
  readonly changed = new Set<Reservation>()
  readonly #rows = new Map<string, Reservation>()
  readonly #byStation = new Map<string, Set<Reservation>>()
  readonly #named: readonly NamingTransaction[]

  constructor(rows: readonly Reservation[] = [], named: readonly NamingTransaction[] = []) {
    for (const row of rows) this.#hold(row)
    this.#named = named
  }

  find(id: string): Reservation | undefined {
    return this.#rows.get(id)
  }

  /** Of one station: its open ones, and all with an id that the batch names; oldest first. */
  ofStation(stationId: string): Reservation[] {
    return [...(this.#byStation.get(stationId) ?? [])].sort(
      (left, right) => left.requestedAt.getTime() - right.requestedAt.getTime() || (left.id < right.id ? -1 : 1),
    )
  }

  /** The first transaction that named it, as the table of transactions has it. */
  findNaming({ stationId, reservationId, requestedAt }: Reservation): NamingTransaction | undefined {
    return this.#named.find(
      (each) => each.stationId === stationId && each.reservationId === reservationId && each.createdAt >= requestedAt,
    )
  }

  /** Takes a fact into the evidence; an end after the end changes nothing, unless a transaction names the row. */
  note(row: Reservation, kind: keyof Evidence, at: Date, details: FactDetails = {}): Decision {
    if (row.endedAt && at >= row.endedAt && kind !== 'used' && kind !== 'confirmed') return {}
    const evidence = addFact(row.evidence, kind, at, details)
    return evidence === row.evidence ? {} : this.put(row, { evidence })
  }

  /** @returns what leaves, when this makes it stand otherwise */
  put(row: Reservation, change: Partial<Reservation>): Decision {
    const before = this.#rows.get(row.id)?.state
    Object.assign(row, change)
    Object.assign(row, toStanding(row))
    this.#hold(row)
    this.changed.add(row)
    if (row.state === before) return {}
    const job = { service: 'reservations' as const, kind: expiryJob, key: row.id, stationId: row.stationId }
    const dueJob = { ...job, dueAt: row.expiresAt }
    return {
      events: [toEvent(row)],
      jobs: isOpen(row) ? { put: [dueJob], remove: [] } : { put: [], remove: [dueJob] },
    }
  }

  #hold(row: Reservation): void {
    this.#rows.set(row.id, row)
    const rows = this.#byStation.get(row.stationId) ?? new Set()
    this.#byStation.set(row.stationId, rows.add(row))
  }
}

/** Keyed by the reservation's `id`. */
export const expiryJob = 'reservation-expiry'

function toEvent(row: Reservation): EventDraft {
  const { id, stationId, reservationId, connector, idTag, parentIdTag, state, reason, transactionId, flags } = row
  return {
    type: `reservation.${state}`,
    subject: `reservation/${reservationId}`,
    data: {
      id,
      stationId,
      reservationId,
      connector,
      idTag,
      parentIdTag,
      state,
      reason,
      transactionId,
      flags,
      expiresAt: row.expiresAt.toISOString(),
    },
  }
}
