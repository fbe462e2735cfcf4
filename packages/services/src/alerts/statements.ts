import { sql, upsertInto } from '@busbar/store'

export const upsertAlerts = upsertInto(
  'alert',
  {
    id: 'uuid',
    kind: 'text',
    stationId: 'text',
    subject: 'text',
    severity: 'text',
    since: 'timestamptz',
    raisedAt: 'timestamptz',
    clearedAt: 'timestamptz',
    details: 'jsonb',
  },
  ['id'],
  ['clearedAt', 'details'],
)

const alertColumns = `id, kind, station_id AS "stationId", subject, severity, since, raised_at AS "raisedAt",
  cleared_at AS "clearedAt", details`

/** Of these stations, and of webhooks. */
export const selectOpenAlerts = sql(`
  SELECT ${alertColumns} FROM alert WHERE cleared_at IS NULL AND (station_id = ANY($1) OR station_id IS NULL AND $2)`)

export const selectLooks = sql(`
  SELECT key AS "stationId", due_at AS "dueAt" FROM job
  WHERE service = 'notifications' AND kind = $2 AND key = ANY($1)`)

export const selectStations = sql(`
  SELECT k.id AS "stationId", s.heartbeat_interval_seconds AS "heartbeatIntervalSeconds", s.switches,
    t.online, t.registration, t.connected_at AS "connectedAt", t.disconnected_at AS "disconnectedAt",
    greatest(t.last_seen_at, t.last_boot_at) AS "heardAt"
  FROM unnest($1::text[]) AS k(id)
  LEFT JOIN station s ON s.id = k.id LEFT JOIN station_state t ON t.station_id = k.id`)

/** Faulted ones, and those that say by being free that nobody charges. */
export const selectConnectors = sql(`
  SELECT e.station_id AS "stationId", e.number AS "evseNumber", c.number AS "connectorNumber", c.status,
    c.error_code AS "errorCode", c.vendor_error_code AS "vendorErrorCode", c.info, c.status_at AS "statusAt"
  FROM connector c JOIN evse e ON e.id = c.evse_id
  WHERE e.station_id = ANY($1) AND c.status IN ('Faulted', 'Available') AND c.status_at IS NOT NULL`)

const transactionsPerStation = 20

/** The oldest of each: a station that ends none must not fill the list. */
export const selectTransactions = sql(`
  SELECT k.id AS "stationId", t.* FROM unnest($1::text[]) AS k(id) CROSS JOIN LATERAL (
    SELECT id, started_at AS "startedAt", evse_number AS "evseNumber", connector_number AS "connectorNumber",
      updated_at AS "heardAt"
    FROM charging_transaction WHERE station_id = k.id AND status = 'active'
    ORDER BY created_at LIMIT ${transactionsPerStation}) AS t`)

/** The last frame of each; of Heartbeats the station's row tells. */
export const selectLastFrames = sql(`
  SELECT k.id AS "stationId", f.at FROM unnest($1::text[]) AS k(id) CROSS JOIN LATERAL (
    SELECT at FROM journal_frame WHERE station_id = k.id AND direction = 'in' AND at > $2
    ORDER BY at DESC LIMIT 1) AS f`)
