import { createTestDatabase, openDatabase, type TestDatabase } from '@busbar/store'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { showBacklog, showDatabase } from './metrics.js'

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store?.drop())

/** Sample lines of the text format. */
async function read(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

test('what waits is counted when the metrics are read, not before', async () => {
  const registry = new Registry()
  showBacklog(registry, store.database)
  expect(await read(registry)).toEqual([
    'busbar_outbox_rows 0',
    'busbar_dead_letters_open 0',
    'busbar_jobs_overdue_seconds 0',
    'busbar_webhook_deliveries_due 0',
    'busbar_webhooks_failing 0',
    ...['offline', 'silent', 'faulted', 'stuck-transaction', 'refused', 'webhook-disabled'].map(
      (kind) => `busbar_alerts_open{kind="${kind}"} 0`,
    ),
    ...['awaiting-approval', 'running', 'stopped'].map((status) => `busbar_bulk_commands{status="${status}"} 0`),
  ])

  const id = '0190a0a0-0000-7000-8000-00000000000'
  await store.database.commit([
    {
      text: `INSERT INTO outbox (source, topic, key, value) VALUES ('api', 't', 'k', ''), ('api', 't', 'k', '')`,
      values: [],
    },
    {
      text: `INSERT INTO dead_letter (id, service, topic, partition, "offset", station_id, headers, value, error, created_at, replayed_at, discarded_at)
        VALUES ('${id}1', 's', 't', 0, 1, 'CP', '{}', '', 'e', now(), NULL, NULL), ('${id}2', 's', 't', 0, 2, 'CP', '{}', '', 'e', now(), now(), NULL),
          ('${id}3', 's', 't', 0, 3, 'CP', '{}', '', 'e', now(), NULL, now())`,
      values: [],
    },
    {
      text: `INSERT INTO job (service, kind, key, station_id, due_at)
        VALUES ('stations', 'k', '1', 'CP', now() - interval '90 s'), ('stations', 'k', '2', 'CP', now() + interval '90 s')`,
      values: [],
    },
    {
      text: `INSERT INTO alert (id, kind, station_id, subject, severity, since, raised_at, cleared_at, details)
        VALUES ('${id}4', 'offline', 'CP', 'station', 'critical', now(), now(), NULL, '{}'),
          ('${id}5', 'offline', 'CP', 'station', 'critical', now(), now(), now(), '{}')`,
      values: [],
    },
    {
      text: `INSERT INTO bulk_command (id, action, payload, selection, stations, pace_per_minute, jitter_seconds, stop_after,
          command_expiry_seconds, expires_at, status, created_by, owner, actor, created_at, completed_at)
        SELECT ('${id}' || n)::uuid, 'Reset', '{}', '{}', 1, 1, 0, 1, 45, now(), s, 'k', 'k', 'k/k', now(), CASE s WHEN 'completed' THEN now() END
        FROM (VALUES (6, 'awaiting-approval'), (7, 'stopped'), (8, 'completed')) AS b(n, s)`,
      values: [],
    },
    {
      text: `INSERT INTO webhook (id, name, url, secret, enabled, enabled_at, updated_at)
        VALUES ('${id}9', 'w', 'https://w', 's', true, now(), now()), ('${id}8', 'off', 'https://w', 's', false, now(), now())`,
      values: [],
    },
    {
      text: `INSERT INTO webhook_state (webhook_id, failing_since) VALUES ('${id}9', now()), ('${id}8', now())`,
      values: [],
    },
    {
      text: `INSERT INTO webhook_delivery (id, webhook_id, event_id, event_type, body, status, created_at, expires_at, due_at)
        VALUES ('${id}1', '${id}9', 'e1', 't', '', 'pending', now(), now(), now() - interval '1 s'),
          ('${id}2', '${id}9', 'e2', 't', '', 'delivered', now(), now(), NULL),
          ('${id}3', '${id}8', 'e3', 't', '', 'pending', now(), now(), now() - interval '1 s')`,
      values: [],
    },
  ])

  const lines = await read(registry)
  expect(lines).toEqual(
    expect.arrayContaining([
      'busbar_outbox_rows 2',
      'busbar_dead_letters_open 1',
      'busbar_webhook_deliveries_due 1',
      'busbar_webhooks_failing 1',
      'busbar_alerts_open{kind="offline"} 1',
      'busbar_alerts_open{kind="faulted"} 0',
      'busbar_bulk_commands{status="awaiting-approval"} 1',
      'busbar_bulk_commands{status="running"} 0',
      'busbar_bulk_commands{status="stopped"} 1',
    ]),
  )
  const overdue = lines.find((line) => line.startsWith('busbar_jobs_overdue_seconds'))
  expect(Number(overdue?.split(' ')[1])).toBeGreaterThanOrEqual(90)
})

test('while Postgres is away that is said, and what waits is not guessed', async () => {
  const registry = new Registry()
  const away = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', poolSize: 2, statementTimeoutMs: 500 })
  showDatabase(registry, away)
  showBacklog(registry, away)

  expect(await read(registry)).toEqual([
    'busbar_database_connections{state="busy"} 0',
    'busbar_database_connections{state="idle"} 0',
    'busbar_database_waiting 0',
    'busbar_database_available 0',
  ])
  await away.close()
})
