import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startEmbeddedPostgres } from '@busbar/store'
import { pino } from 'pino'

/** Where the environment names no Postgres, all tests of a run share an embedded one, each in databases of its own. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.TEST_DATABASE_URL) return undefined
  const dataDir = await mkdtemp(path.join(tmpdir(), 'busbar-tests-'))
  const server = await startEmbeddedPostgres({ dataDir, port: 0 }, pino({ level: 'silent' }))
  process.env.TEST_DATABASE_URL = server.url
  return async () => {
    await server.stop()
    await rm(dataDir, { recursive: true })
  }
}
