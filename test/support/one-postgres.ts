import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createTestDatabase, startEmbeddedPostgres } from '@busbar/store'
import { pino } from 'pino'

/**
 * Where the environment names no Postgres, all tests of a run share an embedded one. Each makes databases of its own there,
 * copies of one that was migrated for all.
 */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  // Every project of the run asks for it, one after the other.
  if (process.env.TEST_DATABASE_TEMPLATE) return undefined
  const server = process.env.TEST_DATABASE_URL ? null : await startPostgres()
  if (server) process.env.TEST_DATABASE_URL = server.url
  const template = await createTestDatabase()
  process.env.TEST_DATABASE_TEMPLATE = new URL(template.url).pathname.slice(1)
  return async () => {
    await template.drop()
    await server?.stop()
  }
}

async function startPostgres(): Promise<{ url: string; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'busbar-tests-'))
  const server = await startEmbeddedPostgres({ dataDir, port: 0 }, pino({ level: 'silent' }))
  return {
    url: server.url,
    stop: async () => {
      await server.stop()
      await rm(dataDir, { recursive: true })
    },
  }
}
