import { type Session, type Sql, sql, upsertInto } from '@busbar/store'
import { commandNewsType } from '../pipeline/command-news.js'
import { isStorableNumber } from '../pipeline/numbers.js'
import type { InboundRecord } from '../pipeline/service.js'
import { openStates, type Reservation } from './reservation.js'
import { type NamingTransaction, ReservationsState } from './state.js'

const columns = {
  id: 'uuid',
  stationId: 'text',
  reservationId: 'int4',
  connector: 'int4',
  idTag: 'text',
  parentIdTag: 'text',
  expiresAt: 'timestamptz',
  answer: 'text',
  evidence: 'jsonb',
  requestedBy: 'text',
  requestedAt: 'timestamptz',
  state: 'text',
  reason: 'text',
  transactionId: 'uuid',
  flags: 'text[]',
  endedAt: 'timestamptz',
} as const

const upsertReservations = upsertInto('reservation', columns, ['id'])

const selected = Object.keys(columns)
  .map((name) => `r.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)} AS "${name}"`)
  .join(', ')

// What is open at a station, what carries an id that the batch names, what it names itself, and what has ended since a
// transaction began that is told only now: of the days before, as a station does not reserve for longer.
const selectReservations = sql(`
  SELECT ${selected} FROM reservation r WHERE r.id IN (
    SELECT id FROM reservation WHERE station_id = ANY($1) AND state = ANY('{${openStates.join()}}')
    UNION SELECT n.id FROM unnest($2::text[], $3::int[]) AS named(station_id, reservation_id)
      JOIN reservation n ON n.station_id = named.station_id AND n.reservation_id = named.reservation_id
    UNION SELECT unnest($4::uuid[])
    UNION SELECT e.id FROM unnest($5::text[], $6::timestamptz[]) AS begun(station_id, at)
      JOIN reservation e ON e.station_id = begun.station_id AND e.ended_at > begun.at
        AND e.requested_at BETWEEN begun.at - interval '7 days' AND begun.at)`)

const selectNaming = sql(`
  SELECT t.station_id AS "stationId", t.reservation_id AS "reservationId", t.id, t.created_at AS "createdAt"
  FROM reservation r
  JOIN charging_transaction t ON t.station_id = r.station_id AND t.created_at >= r.requested_at
    AND t.reservation_id = r.reservation_id
  WHERE r.id = ANY($1::uuid[]) ORDER BY t.created_at`)

/** One query per table; of transactions only those that could have used what is due now. */
export async function loadReservations(
  session: Session,
  records: readonly InboundRecord[],
): Promise<ReservationsState> {
  const stations = [...new Set(records.map(({ stationId }) => stationId))]
  const named = records.flatMap((record) => {
    const { reservationId } = saidIn(record)
    return typeof reservationId === 'number' && isStorableNumber(reservationId)
      ? [{ stationId: record.stationId, reservationId }]
      : []
  })
  const due = records.filter(({ type }) => type === 'due').map(({ payload }) => String(payload.key))
  const asked = records.filter(({ type }) => type === commandNewsType).map(({ payload }) => String(payload.commandId))
  const begun = records.flatMap((record) => {
    const { startedAt } = saidIn(record)
    return typeof startedAt === 'string' ? [{ stationId: record.stationId, startedAt }] : []
  })
  const [rows, naming] = await Promise.all([
    session.query<Reservation>(
      selectReservations(
        stations,
        named.map(({ stationId }) => stationId),
        named.map(({ reservationId }) => reservationId),
        [...due, ...asked],
        begun.map(({ stationId }) => stationId),
        begun.map(({ startedAt }) => startedAt),
      ),
    ),
    due.length > 0 ? session.query<NamingTransaction>(selectNaming(due)) : [],
  ])
  return new ReservationsState(rows, naming)
}

/** The CALL, or the event's data. */
function saidIn({ type, payload }: InboundRecord): { reservationId?: unknown; startedAt?: unknown } {
  return (type === commandNewsType ? payload.sent : payload.data) ?? {}
}

export function saveReservations(state: ReservationsState): Sql[] {
  return state.changed.size > 0 ? [upsertReservations([...state.changed])] : []
}
