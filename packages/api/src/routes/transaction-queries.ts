import type { Database } from '@busbar/store'
import { z } from 'zod'
import { spanQuery, stationId, timeInput, toTime } from '../schemas.js'
import { type TransactionCorrection, type TransactionRow, transactionStatus } from './transaction-schemas.js'

/** What list and export can be narrowed by. */
export const transactionFilter = z.object({
  station: stationId.optional(),
  group: z.uuid().optional().describe('Of stations that are in this station group now'),
  token: z.string().max(255).optional(),
  status: transactionStatus.optional(),
  from: spanQuery.from.describe('Heard of at or after'),
  to: spanQuery.to.describe('Heard of before'),
  endedFrom: timeInput
    .meta({ description: 'Ended at or after; none that still runs', examples: ['2026-03-01T00:00:00Z'] })
    .optional(),
  endedTo: timeInput
    .meta({ description: 'Ended before; none that still runs', examples: ['2026-04-01T00:00:00Z'] })
    .optional(),
})

interface Window {
  /** true: only held ones; false: only others. */
  held: boolean | undefined
  order: 'newest first' | 'oldest first'
  /** Key of the row before the first one wanted. */
  after: readonly [createdAt: Date, id: string] | null
  limit: number
}

const columns = [
  ...['id', 'stationId', 'protocol', 'ocppId', 'evseNumber', 'connectorNumber', 'tokenValue', 'tokenType'],
  ...['tokenStatus', 'groupId', 'stopTokenValue', 'remoteStartId', 'reservationId', 'status', 'chargingState'],
  ...['startedAt', 'endedAt', 'stoppedReason', 'energyWh', 'energySource', 'heldReasons', 'flags'],
  ...['createdAt', 'updatedAt'],
]
  .map((name) => `t.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)} AS "${name}"`)
  .join(', ')

/**
 * Some rows by (created_at, id), which never change: a cursor keeps its place while transactions do.
 * An end bounds neither, since an offline station tells of sessions after they ended; it stands in the index behind the two.
 */
export function findTransactions(
  database: Database,
  filter: z.output<typeof transactionFilter>,
  { held, order, after, limit }: Window,
): Promise<TransactionRow[]> {
  const [isBehind, direction] = order === 'newest first' ? ['<', 'DESC'] : ['>', 'ASC']
  return database.query<TransactionRow>({
    text: `
      SELECT ${columns} FROM charging_transaction t
      WHERE ($1::text IS NULL OR t.station_id = $1)
        AND ($2::uuid IS NULL
          OR t.station_id IN (SELECT m.station_id FROM station_group_member m WHERE m.group_id = $2))
        AND ($3::text IS NULL OR lower(t.token_value) = lower($3))
        AND ($4::text IS NULL OR t.status = $4)
        AND ($5::boolean IS NULL OR (cardinality(t.held_reasons) > 0) = $5)
        AND ($6::timestamptz IS NULL OR t.created_at >= $6)
        AND ($7::timestamptz IS NULL OR t.created_at < $7)
        AND ($8::timestamptz IS NULL OR t.ended_at >= $8)
        AND ($9::timestamptz IS NULL OR t.ended_at < $9)
        AND ($10::timestamptz IS NULL OR (t.created_at, t.id) ${isBehind} ($10, $11::uuid))
      ORDER BY t.created_at ${direction}, t.id ${direction} LIMIT $12`,
    values: [
      filter.station ?? null,
      filter.group ?? null,
      filter.token ?? null,
      filter.status ?? null,
      held ?? null,
      filter.from?.toISOString() ?? null,
      filter.to?.toISOString() ?? null,
      filter.endedFrom?.toISOString() ?? null,
      filter.endedTo?.toISOString() ?? null,
      after?.[0].toISOString() ?? null,
      after?.[1] ?? null,
      limit,
    ],
  })
}

type Correction = z.infer<typeof TransactionCorrection>
type CorrectionRow = Omit<Correction, 'at'> & { at: Date }

/** A station may tell ever more. */
const maxCorrections = 1_000

/** Of one transaction, requests that nobody has decided yet included. @param id only this one */
export async function findCorrections(
  database: Database,
  transactionId: string,
  id: string | null = null,
): Promise<Correction[]> {
  const rows = await database.query<CorrectionRow>({
    name: 'corrections_of_transaction',
    text: `
      SELECT id, kind, status, refusal, actor, reason, before, after, at
      FROM transaction_correction WHERE transaction_id = $1::uuid AND ($2::uuid IS NULL OR id = $2)
      UNION ALL
      SELECT r.id, r.kind, 'requested', NULL, r.actor, r.reason, NULL, NULL, r.created_at
      FROM transaction_request r
      WHERE r.transaction_id = $1::uuid AND ($2::uuid IS NULL OR r.id = $2)
        AND NOT EXISTS (SELECT FROM transaction_correction c WHERE c.id = r.id)
      ORDER BY at, id LIMIT ${maxCorrections}`,
    values: [transactionId, id],
  })
  return rows.map((row) => ({ ...row, at: toTime(row.at) }))
}

/** @returns what was applied to each of these transactions, the first first; nothing for those never corrected */
export async function findApplied(
  database: Database,
  transactionIds: readonly string[],
): Promise<ReadonlyMap<string, Correction[]>> {
  const rows = await database.query<CorrectionRow & { transactionId: string }>({
    name: 'corrections_of_transactions',
    text: `SELECT transaction_id AS "transactionId", id, kind, status, refusal, actor, reason, before, after, at
           FROM transaction_correction WHERE transaction_id = ANY($1::uuid[]) AND status = 'applied' ORDER BY at, id`,
    values: [transactionIds],
  })
  const applied = new Map<string, Correction[]>()
  for (const { transactionId, at, ...row } of rows) {
    const known = applied.get(transactionId) ?? []
    applied.set(transactionId, [...known, { ...row, at: toTime(at) }])
  }
  return applied
}
