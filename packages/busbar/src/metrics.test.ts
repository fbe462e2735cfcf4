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
  ])

  const [outbox, deadLetters, overdue = ''] = await read(registry)
  expect([outbox, deadLetters]).toEqual(['busbar_outbox_rows 2', 'busbar_dead_letters_open 1'])
  expect(Number(overdue.split(' ')[1])).toBeGreaterThanOrEqual(90)
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
