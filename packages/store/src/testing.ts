import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pino } from 'pino'
import { type Database, openDatabase } from './database.js'
import { startEmbeddedPostgres } from './embedded-postgres.js'
import { migrate } from './migrate.js'

export interface TestDatabase {
  url: string
  database: Database
  /** Closes `database` and removes everything. */
  drop(): Promise<void>
}

const log = pino({ level: 'silent' })

/**
 * A migrated database of its own for one test file: on the server named by TEST_DATABASE_URL, there as a copy of
 * TEST_DATABASE_TEMPLATE if that is named, else on an embedded Postgres that lives as long.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { TEST_DATABASE_URL: named, TEST_DATABASE_TEMPLATE: template = 'template1' } = process.env
  const server = named === undefined ? await temporaryServer() : { url: named, stop: async () => {} }
  const name = `test_${randomBytes(6).toString('hex')}`
  await onServer(server.url, `CREATE DATABASE ${name} TEMPLATE ${template}`)
  const url = new URL(server.url)
  url.pathname = name
  await migrate(url.href, log)
  const database = openDatabase({ url: url.href, poolSize: 5, statementTimeoutMs: 10_000 })
  return {
    url: url.href,
    database,
    drop: async () => {
      await database.close()
      await onServer(server.url, `DROP DATABASE ${name} WITH (FORCE)`)
      await server.stop()
    },
  }
}

async function onServer(url: string, text: string): Promise<void> {
  const server = openDatabase({ url, poolSize: 1, statementTimeoutMs: 30_000 })
  try {
    await server.query({ text, values: [] })
  } finally {
    await server.close()
  }
}

async function temporaryServer() {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'busbar-test-'))
  const server = await startEmbeddedPostgres({ dataDir, port: 0 }, log)
  return {
    url: server.url,
    stop: async () => {
      await server.stop()
      await rm(dataDir, { recursive: true })
    },
  }
}
