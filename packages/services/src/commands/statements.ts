import { apiSource } from '@busbar/backbone'
import { insertInto, overRows, type Sql, sql, updateRows, upsertInto } from '@busbar/store'
import type { Command } from './command.js'
import { jobKinds } from './effects.js'
import type { SecretChange } from './password.js'

export interface CounterRow {
  stationId: string
  name: string
  value: number
}

export interface AuditRow {
  at: Date
  actor: string
  action: string
  targetType: string
  targetId: string
  details: object
}

/** Columns that change after the insert. */
const changing = {
  status: 'text',
  followUp: 'text',
  calls: 'jsonb',
  response: 'jsonb',
  lateResponse: 'jsonb',
  error: 'jsonb',
  epoch: 'int8',
  dispatchedAt: 'timestamptz',
  completedAt: 'timestamptz',
} as const

/** As it was asked for; these never change. */
const asked = {
  id: 'uuid',
  stationId: 'text',
  protocol: 'text',
  action: 'text',
  payload: 'jsonb',
  requestedBy: 'text',
  idempotencyKey: 'text',
  requestHash: 'text',
  createdAt: 'timestamptz',
  expiresAt: 'timestamptz',
} as const

const columns = { ...asked, ...changing } as const

export const insertCommands = insertInto('command', columns)
export const updateCommands = updateRows('command', { id: 'uuid', ...changing }, ['id'])
export const insertAudits = insertInto('audit_entry', {
  at: 'timestamptz',
  actor: 'text',
  action: 'text',
  targetType: 'text',
  targetId: 'text',
  details: 'jsonb',
})
export const upsertCounters = upsertInto('station_counter', { stationId: 'text', name: 'text', value: 'int4' }, [
  'stationId',
  'name',
])

const selected = Object.keys(columns)
  .map((name) => `c.${toSnake(name)} AS "${name}"`)
  .join(', ')

function toSnake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** As the driver gives it. */
export type CommandRow = Omit<Command, 'epoch'> & { epoch: bigint | null }

export function toCommand(row: CommandRow): Command {
  return { ...row, epoch: row.epoch === null ? null : Number(row.epoch) }
}

export const selectCommands = sql(`SELECT ${selected} FROM command c WHERE c.id = ANY($1::uuid[])`)

export const selectCommandsByKey = sql(
  `SELECT ${selected} FROM unnest($1::text[], $2::text[]) AS k(requested_by, idempotency_key)
   JOIN command c ON c.requested_by = k.requested_by AND c.idempotency_key = k.idempotency_key`,
)

/** Those of which more may come, of late: a station's older ones are not walked through. */
export const selectOpenCommands = sql(
  `SELECT ${selected} FROM command c
   WHERE c.station_id = ANY($1) AND c.created_at > $2
     AND (c.status = 'dispatched' OR c.follow_up IN ('open', 'incomplete'))`,
)

export const selectStations = sql(
  `SELECT asked.id AS "stationId", t.protocol, COALESCE(s.protocols, '{}') AS allowed, COALESCE(t.epoch, 0) AS epoch,
     t.connected_at AS "connectedAt"
   FROM unnest($1::text[]) AS asked(id)
   LEFT JOIN station s ON s.id = asked.id LEFT JOIN station_state t ON t.station_id = asked.id`,
)

export const selectCounters = sql(
  'SELECT station_id AS "stationId", name, value FROM station_counter WHERE station_id = ANY($1)',
)

export const selectLimits = sql(
  `SELECT station_id AS "stationId", component_key AS "componentKey", variable_key AS "variableKey",
     lower(variable_instance) AS "variableInstance", value
   FROM variable WHERE station_id = ANY($1) AND variable_key = ANY($2) AND attribute_type = 'Actual'`,
)

export const selectPendingSecrets = sql(
  `SELECT station_id AS "stationId", hash, created_at AS "createdAt", carried_by AS "carriedBy" FROM station_secret
   WHERE station_id = ANY($1) AND slot = 'pending'`,
)

// The same one again is as old as it was, and no CALL's alone.
const setPending = sql(
  `INSERT INTO station_secret AS known (station_id, slot, hash, carried_by) VALUES ($1, 'pending', $2, $3)
   ON CONFLICT (station_id, slot) DO UPDATE SET hash = EXCLUDED.hash,
     created_at = CASE WHEN known.hash = EXCLUDED.hash THEN known.created_at ELSE now() END,
     carried_by = CASE WHEN known.hash = EXCLUDED.hash THEN NULL ELSE EXCLUDED.carried_by END`,
)
const setCurrent = sql(
  `INSERT INTO station_secret (station_id, slot, hash) VALUES ($1, 'current', $2)
   ON CONFLICT (station_id, slot) DO UPDATE SET hash = EXCLUDED.hash, created_at = now()`,
)
const removePending = sql(`DELETE FROM station_secret WHERE station_id = $1 AND slot = 'pending' AND hash = $2`)
const discardPending = sql(
  `DELETE FROM station_secret WHERE station_id = $1 AND slot = 'pending' AND hash = $2 AND carried_by = $3`,
)
const makePendingCurrent = sql(
  `WITH used AS (
     DELETE FROM station_secret WHERE station_id = $1 AND slot = 'pending' AND created_at <= $2 RETURNING hash
   )
   INSERT INTO station_secret (station_id, slot, hash) SELECT $1, 'current', hash FROM used
   ON CONFLICT (station_id, slot) DO UPDATE SET hash = EXCLUDED.hash, created_at = now()`,
)

/** One after the other: changes of one station build on each other, and they are few. */
export function toSecretStatements(change: SecretChange): Sql[] {
  const { stationId } = change
  switch (change.kind) {
    case 'propose':
      return [setPending(stationId, change.hash, change.carriedBy)]
    case 'confirm':
      return [setCurrent(stationId, change.hash), removePending(stationId, change.hash)]
    case 'discard':
      return [discardPending(stationId, change.hash, change.carriedBy)]
    case 'used':
      return [makePendingCurrent(stationId, change.at.toISOString())]
  }
}

/**
 * Command, audit entry, the job that sees to its verdict whatever becomes of the record, and outbox record of each, or none of
 * them when its key was used before: one statement, so that the API asks Postgres once.
 * @returns the ids of the commands that are new
 */
export const insertRequested = overRows(
  { ...asked, actor: 'text', topic: 'text', record: 'bytea' },
  // In the order of the keys: who waits for a key that another is just using holds none that the other waits for.
  (rows) => `WITH asked AS (SELECT * FROM ${rows}), inserted AS (
     INSERT INTO command (id, station_id, protocol, action, payload, requested_by, idempotency_key, request_hash, status,
       created_at, expires_at)
     SELECT id, station_id, protocol, action, payload, requested_by, idempotency_key, request_hash, 'queued', created_at,
       expires_at
     FROM asked ORDER BY requested_by, idempotency_key
     ON CONFLICT (requested_by, idempotency_key) DO NOTHING RETURNING id
   ), new AS (SELECT asked.* FROM asked JOIN inserted USING (id)), audited AS (
     INSERT INTO audit_entry (at, actor, action, target_type, target_id, details)
     SELECT created_at, actor, 'command.send', 'station', station_id, jsonb_build_object('commandId', id, 'action', action)
     FROM new
   ), due AS (
     INSERT INTO job (service, kind, key, station_id, due_at)
     SELECT 'commands', '${jobKinds.verdict}', id::text, station_id, expires_at FROM new
   ), sent AS (
     INSERT INTO outbox (source, topic, key, value, headers)
     SELECT '${apiSource}', topic, station_id, record, '{}'::jsonb FROM new
   )
   SELECT id FROM inserted`,
)
