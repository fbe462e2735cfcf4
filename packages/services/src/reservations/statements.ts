import { type Database, type Sql, sql, upsertInto } from '@busbar/store'
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

// What is open at a station, what carries an id that the batch names, and what it names itself.
const selectReservations = sql(`
  SELECT ${selected} FROM reservation r WHERE r.id IN (
    SELECT id FROM reservation WHERE station_id = ANY($1) AND state = ANY('{${openStates.join()}}')
    UNION SELECT n.id FROM unnest($2::text[], $3::int[]) AS named(station_id, reservation_id)
      JOIN reservation n ON n.station_id = named.station_id AND n.reservation_id = named.reservation_id
    UNION SELECT unnest($4::uuid[]))`)

const selectNaming = sql(`
  SELECT t.station_id AS "stationId", t.reservation_id AS "reservationId", t.id, t.created_at AS "createdAt"
  FROM reservation r
  JOIN charging_transaction t ON t.station_id = r.station_id AND t.created_at >= r.requested_at
    AND t.reservation_id = r.reservation_id
  WHERE r.id = ANY($1::uuid[]) ORDER BY t.created_at`)

/** One query per table; of transactions only those that could have used what is due now. */
export async function loadReservations(
  database: Database,
  records: readonly InboundRecord[],
): Promise<ReservationsState> {
  const stations = [...new Set(records.map(({ stationId }) => stationId))]
  const named = records.flatMap((record) => {
    const reservationId = reservationIdOf(record)
    return typeof reservationId === 'number' && isStorableNumber(reservationId)
      ? [{ stationId: record.stationId, reservationId }]
      : []
  })
  const due = records.filter(({ type }) => type === 'due').map(({ payload }) => String(payload.key))
  const asked = records.filter(({ type }) => type === commandNewsType).map(({ payload }) => String(payload.commandId))
  const [rows, naming] = await Promise.all([
    database.query<Reservation>(
      selectReservations(
        stations,
        named.map(({ stationId }) => stationId),
        named.map(({ reservationId }) => reservationId),
        [...due, ...asked],
      ),
    ),
    due.length > 0 ? database.query<NamingTransaction>(selectNaming(due)) : [],
  ])
  return new ReservationsState(rows, naming)
}

function reservationIdOf({ type, payload }: InboundRecord): unknown {
  const named = type === commandNewsType ? payload.sent : payload.data
  return (named as { reservationId?: unknown } | undefined)?.reservationId
}

export function saveReservations(state: ReservationsState): Sql[] {
  return state.changed.size > 0 ? [upsertReservations([...state.changed])] : []
}
