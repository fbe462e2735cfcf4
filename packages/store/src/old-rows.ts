import type { Database } from './database.js'
import { earliestId } from './new-id.js'

export interface RowRetention {
  /** null keeps them for ever. */
  meterReadingDays: number | null
  journalDays: number
  securityEventDays: number
  historyDays: number
  webhookDeliveryDays: number
}

/** What of a table may go after so many days. Nothing of it is billed, and nothing can still come of it. */
interface OldRows {
  table: string
  days: keyof RowRetention
  /** The UUIDv7 its rows have from their beginning: by it they are found without an index by age. */
  id: string | null
  /** Of a row that is over since $1. */
  isOver: string
}

const oldRows: readonly OldRows[] = [
  {
    table: 'heartbeat_count',
    days: 'journalDays',
    id: null,
    isOver: `day < ($1::timestamptz AT TIME ZONE 'UTC')::date`,
  },
  { table: 'dead_letter', days: 'journalDays', id: 'id', isOver: 'coalesce(replayed_at, discarded_at) < $1' },
  { table: 'security_event', days: 'securityEventDays', id: 'id', isOver: 'received_at < $1' },
  { table: 'command', days: 'historyDays', id: 'id', isOver: `completed_at < $1 AND follow_up <> 'open'` },
  {
    table: 'transfer',
    days: 'historyDays',
    id: 'id',
    isOver: `ended_at < $1 OR state = 'unknown' AND updated_at < $1`,
  },
  { table: 'reservation', days: 'historyDays', id: 'id', isOver: 'ended_at < $1' },
  { table: 'charging_profile', days: 'historyDays', id: 'command_id', isOver: 'settled_at < $1' },
  {
    table: 'charging_profile_clear',
    days: 'historyDays',
    id: 'command_id',
    isOver: `requested_at < $1 AND answer <> 'requested'`,
  },
  {
    table: 'root_installation',
    days: 'historyDays',
    id: 'command_id',
    isOver: `requested_at < $1 AND status <> 'requested'`,
  },
  {
    table: 'webhook_delivery',
    days: 'webhookDeliveryDays',
    id: 'id',
    isOver: 'created_at < $1 AND expires_at < now()',
  },
  { table: 'bulk_command', days: 'historyDays', id: 'id', isOver: 'completed_at < $1' },
  {
    table: 'bulk_target',
    days: 'historyDays',
    id: 'bulk_id',
    isOver: '(sent_at IS NULL OR sent_at < $1) AND NOT EXISTS (SELECT FROM bulk_command b WHERE b.id = bulk_id)',
  },
  { table: 'alert', days: 'historyDays', id: 'id', isOver: 'cleared_at < $1' },
  {
    table: 'alert_acknowledgement',
    days: 'historyDays',
    id: 'alert_id',
    isOver: 'acknowledged_at < $1 AND NOT EXISTS (SELECT FROM alert WHERE alert.id = alert_id)',
  },
  {
    table: 'station_certificate',
    days: 'historyDays',
    id: 'id',
    // Until its own end it has to be known as one that opens no door any more.
    isOver: `coalesce(not_after, requested_at) < $1 AND status IN ('failed', 'rejected', 'superseded')`,
  },
  // The id of a transaction is older than what is told of it.
  { table: 'meter_reading_pack', days: 'meterReadingDays', id: 'transaction_id', isOver: 'received_at < $1' },
]

const dayMs = 86_400_000
const atOnce = 5_000

/**
 * Deletes what is older than its retention, a few thousand rows a statement, so that nobody waits for it. To be called
 * daily; safe to call at any time and from any process: they share the rows.
 *
 * @param isStopping asked between statements
 * @returns how many rows of each table went
 * @throws UnavailableError; what went is gone, the rest goes the next time
 */
export async function deleteOldRows(
  database: Database,
  now: Date,
  retention: RowRetention,
  isStopping: () => boolean = () => false,
  limit = atOnce,
): Promise<Record<string, number>> {
  const gone: Record<string, number> = {}
  for (const rows of oldRows) {
    const days = retention[rows.days]
    if (days === null) continue
    const before = new Date(now.getTime() - days * dayMs)
    let last = limit
    while (last === limit && !isStopping()) {
      last = await deleteSome(database, rows, before, limit)
      if (last > 0) gone[rows.table] = (gone[rows.table] ?? 0) + last
    }
  }
  return gone
}

async function deleteSome(database: Database, rows: OldRows, before: Date, limit: number): Promise<number> {
  const { table, id, isOver } = rows
  // In the order of the ids, so that the planner takes their index, however little it knows of the table.
  const [isOld, order] = id === null ? ['true', ''] : [`${id} < $3::uuid`, `ORDER BY ${id}`]
  const deleted = await database.query({
    text: `
      DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ${table} WHERE ${isOld} AND (${isOver}) ${order} LIMIT $2 FOR UPDATE SKIP LOCKED))
      RETURNING 1`,
    values: [before.toISOString(), limit, ...(id === null ? [] : [earliestId(before)])],
  })
  return deleted.length
}
