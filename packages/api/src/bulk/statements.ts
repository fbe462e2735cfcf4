import { sql, updateRows } from '@busbar/store'
import { fleetThatCounts } from './limits.js'
import { sendsPerStep } from './plan.js'

export const selectDue = sql(`
  SELECT id FROM bulk_command
  WHERE due_at <= now() AND status IN ('running', 'awaiting-approval') OR status = 'stopped' AND expires_at <= now() LIMIT 1`)

/** Those that waited for a person longer than their time. */
export const expireWaiting = sql(`
  WITH expired AS (
    UPDATE bulk_command SET status = 'expired', due_at = NULL, completed_at = $1,
      status_reason = CASE status WHEN 'stopped' THEN 'nobody resumed it: ' || status_reason ELSE 'nobody approved it' END
    WHERE status = 'awaiting-approval' AND due_at <= $1 OR status = 'stopped' AND expires_at <= $1
    RETURNING id, status_reason
  )
  INSERT INTO audit_entry (actor, action, target_type, target_id, details)
  SELECT 'bulk-commands', 'bulk-command.expire', 'bulk-command', id::text, jsonb_build_object('reason', status_reason)
  FROM expired`)

/** Of a target and its command. */
export const verdictOf = `CASE WHEN t.error IS NOT NULL THEN 'refused' WHEN t.sent_at IS NULL THEN 'waiting'
  ELSE coalesce(c.status, 'unknown') END`

const isFailure = `(t.error IS NOT NULL OR c.status IN ('rejected', 'error', 'timeout', 'unknown', 'undeliverable', 'expired'))`
const isJudged = `(t.error IS NOT NULL OR c.completed_at IS NOT NULL)`

export const countFleet = sql(`SELECT count(*)::int AS count FROM (SELECT FROM station LIMIT ${fleetThatCounts}) AS s`)

const switchedAlone = (owner: string) =>
  `(SELECT count(*)::int FROM switched_station WHERE owner = ${owner} AND at > now() - interval '1 minute')`
export const countSwitchedAlone = sql(`SELECT ${switchedAlone('$1')} AS count`)

/** All that run, whichever is due: what they may send together has one limit. */
export const selectRuns = sql(`
  SELECT b.id, b.action, b.payload, b.created_by AS "createdBy", b.actor, b.command_expiry_seconds AS "commandExpirySeconds",
    b.approved_by IS NOT NULL AS approved, b.pace_per_minute AS "pacePerMinute", b.started_at AS "startedAt",
    b.expires_at AS "expiresAt", b.stop_above_percent AS "stopAbovePercent", b.stop_after AS "stopAfter",
    ${switchedAlone('b.owner')} AS "switchedAlone", n.lately AS "sentLately", b.stations - n.before AS stations, n.judged,
    n.failed, n.open, w.waiting
  FROM bulk_command b CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE t.sent_at > $1::timestamptz - interval '1 minute')::int AS lately,
      count(*) FILTER (WHERE t.sent_at < b.resumed_at)::int AS before,
      count(*) FILTER (WHERE ${isJudged} AND t.sent_at >= b.resumed_at)::int AS judged,
      count(*) FILTER (WHERE ${isFailure} AND t.sent_at >= b.resumed_at)::int AS failed,
      count(*) FILTER (WHERE t.sent_at IS NOT NULL AND NOT ${isJudged})::int AS open
    FROM bulk_target t LEFT JOIN command c ON c.id = t.command_id WHERE t.bulk_id = b.id AND t.sent_at IS NOT NULL) AS n
  CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object('stationId', station_id, 'offsetMs', offset_ms)
      ORDER BY offset_ms, station_id), '[]') AS waiting
    FROM (SELECT station_id, offset_ms FROM bulk_target WHERE bulk_id = b.id AND sent_at IS NULL
      ORDER BY offset_ms, station_id LIMIT ${sendsPerStep + 1}) AS t) AS w
  WHERE b.status = 'running' ORDER BY b.id`)

/** Of all that need no approval, those that are over included. */
export const countUnapprovedLately = sql(`
  SELECT count(*)::int AS count FROM bulk_target t JOIN bulk_command b ON b.id = t.bulk_id
  WHERE t.sent_at > $1::timestamptz - interval '1 minute' AND b.approved_by IS NULL`)

/**
 * Stations that bulk commands without approval have still to be sent to, or were sent to within the last minute. One that is
 * stopped counts as long as it can be resumed, because nothing is counted then.
 */
export const countUnapprovedOpen = sql(`
  SELECT count(*)::int AS count FROM bulk_target t JOIN bulk_command b ON b.id = t.bulk_id
  WHERE b.approved_by IS NULL AND (t.sent_at > $1::timestamptz - interval '1 minute'
    OR t.sent_at IS NULL AND b.status IN ('running', 'stopped') AND b.expires_at > $1)`)

/** The version each speaks; null where none is known. */
export const selectProtocols = sql(`
  SELECT s.id, coalesce(t.protocol, CASE WHEN cardinality(s.protocols) = 1 THEN s.protocols[1] END,
    s.protocol_without_header) AS protocol
  FROM station s LEFT JOIN station_state t ON t.station_id = s.id WHERE s.id = ANY($1)`)

export const updateRuns = updateRows(
  'bulk_command',
  { id: 'uuid', status: 'text', statusReason: 'text', dueAt: 'timestamptz', completedAt: 'timestamptz' },
  ['id'],
)

/** Of bulk commands that are completed: every station has its verdict, and none changes any more. */
export const keepProgress = sql(`
  UPDATE bulk_command b SET progress = (
    SELECT coalesce(jsonb_object_agg(verdict, count), '{}') FROM (
      SELECT ${verdictOf} AS verdict, count(*) FROM bulk_target t LEFT JOIN command c ON c.id = t.command_id
      WHERE t.bulk_id = b.id GROUP BY 1) AS n)
  WHERE b.id = ANY($1::uuid[])`)

/** The command that stands under the key, which an earlier attempt of this step may have written. */
export const markSent = sql(`
  UPDATE bulk_target t SET sent_at = $3, error = r.error, command_id = (
    SELECT c.id FROM command c JOIN bulk_command b ON b.id = t.bulk_id
    WHERE c.requested_by = b.created_by AND c.idempotency_key = 'bulk/' || t.bulk_id || '/' || t.station_id)
  FROM unnest($1::text[], $2::text[]) AS r(station_id, error)
  WHERE t.bulk_id = $4::uuid AND t.station_id = r.station_id`)
