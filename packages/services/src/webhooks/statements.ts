import { insertInto, sql } from '@busbar/store'

/** Neither switched off by the operator nor given up by us since. */
const isActive = `w.enabled AND (s.disabled_at IS NULL OR s.disabled_at < w.enabled_at)`

export const selectSubscriptions = sql(`
  SELECT w.id, w.event_types AS "eventTypes", w.enabled_at AS "enabledAt"
  FROM webhook w LEFT JOIN webhook_state s ON s.webhook_id = w.id WHERE ${isActive}`)

export const selectStandings = sql(`
  SELECT k.id, w.name, w.enabled_at AS "enabledAt", s.failing_since AS "failingSince", s.disabled_at AS "disabledAt"
  FROM unnest($1::uuid[]) AS k(id) LEFT JOIN webhook w ON w.id = k.id LEFT JOIN webhook_state s ON s.webhook_id = k.id`)

export const insertDeliveries = insertInto(
  'webhook_delivery',
  {
    id: 'uuid',
    webhookId: 'uuid',
    eventId: 'text',
    eventType: 'text',
    body: 'bytea',
    status: 'text',
    createdAt: 'timestamptz',
    expiresAt: 'timestamptz',
    dueAt: 'timestamptz',
  },
  'ON CONFLICT (webhook_id, event_id) DO NOTHING',
)

/** What an attempt that ends meanwhile found out stays. */
export const disableWebhooks = sql(
  'UPDATE webhook_state SET disabled_at = $2 WHERE webhook_id = ANY($1) AND disabled_at IS NULL',
)
export const forgetFailures = sql('DELETE FROM webhook_state WHERE webhook_id = ANY($1)')

export const selectTargets = sql(`
  SELECT w.id, w.url, w.secret, s.failing_since AS "failingSince",
    CASE WHEN w.previous_secret_until > now() THEN w.previous_secret END AS "previousSecret"
  FROM webhook w LEFT JOIN webhook_state s ON s.webhook_id = w.id WHERE ${isActive}`)

/** Whoever claims a delivery moves it: unless its attempt is recorded, it is claimed again after that time. */
export const claimDeliveries = sql(`
  WITH due AS (
    SELECT d.id FROM unnest($1::uuid[], $2::int[]) AS free(webhook_id, slots) CROSS JOIN LATERAL (
      SELECT id FROM webhook_delivery WHERE webhook_id = free.webhook_id AND due_at <= now()
      ORDER BY due_at LIMIT free.slots FOR UPDATE SKIP LOCKED) AS d
  )
  UPDATE webhook_delivery AS d SET due_at = now() + $3::int * interval '1 ms' FROM due WHERE d.id = due.id
  RETURNING d.id, d.webhook_id AS "webhookId", d.event_id AS "eventId", d.body, d.expires_at AS "expiresAt",
    jsonb_array_length(d.attempts) AS "attempts"`)

/** An attempt that ends after another one was taken takes nothing back. */
export const recordAttempt = sql(`
  UPDATE webhook_delivery SET attempts = attempts || $2::jsonb,
    status = CASE WHEN status = 'delivered' THEN status ELSE $3 END,
    due_at = CASE WHEN status = 'delivered' THEN NULL ELSE $4::timestamptz END,
    delivered_at = coalesce(delivered_at, $5::timestamptz)
  WHERE id = $1`)

export const noteFailure = sql(`
  INSERT INTO webhook_state (webhook_id, failing_since) VALUES ($1, $2)
  ON CONFLICT (webhook_id) DO UPDATE SET failing_since = coalesce(webhook_state.failing_since, EXCLUDED.failing_since)`)

export const noteSuccess = sql(
  'UPDATE webhook_state SET failing_since = NULL WHERE webhook_id = $1 AND failing_since IS NOT NULL',
)

/** One job a webhook: of several failures in a row the first puts it. */
export const watchFailure = sql(`
  INSERT INTO job (service, kind, key, station_id, due_at)
  SELECT 'notifications', $2, webhook_id::text, webhook_id::text, failing_since + $3::int8 * interval '1 ms'
  FROM webhook_state WHERE webhook_id = $1 AND failing_since IS NOT NULL ON CONFLICT DO NOTHING`)
