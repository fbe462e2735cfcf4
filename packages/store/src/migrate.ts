import { createHash, randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { connectionConfig, dbTransaction, openSession, type Session } from './database.js'
import { UnavailableError } from './errors.js'
import { migrations as embedded } from './generated/migrations.js'
import { ensurePartitionsIn, type Retention } from './partitions.js'

export interface Migration {
  /** Folder in prisma/migrations; they are applied in the order of their names. */
  name: string
  sql: string
}

/** The database cannot be brought to this version; a person has to look. The message says what to do. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

/** The key Prisma's own `migrate deploy` locks, so that the two exclude each other. */
const lockKey = 72_707_369

/** As Prisma creates it. */
const historyTable = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                  VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum            VARCHAR(64) NOT NULL,
    finished_at         TIMESTAMPTZ,
    migration_name      VARCHAR(255) NOT NULL,
    logs                TEXT,
    rolled_back_at      TIMESTAMPTZ,
    started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
  )`

export interface MigrateOptions {
  /** Default: keep all meter readings, the journal for 30 days. */
  retention?: Retention
  /** Default: those this binary carries. */
  migrations?: readonly Migration[]
  now?: Date
}

/**
 * Brings the database to this binary's version and creates the partitions of the days ahead. Any number of processes
 * may start at once: one applies, the others wait for it. Each migration is one dbTransaction together with its row in
 * `_prisma_migrations`, so a failed one leaves nothing and `prisma migrate status` agrees with us.
 *
 * @returns the names applied by this call
 * @throws MigrationError when a migration fails, or the database holds one that this binary does not know
 * @throws UnavailableError when Postgres cannot be reached
 */
export async function migrate(url: string, log: Logger, options: MigrateOptions = {}): Promise<{ applied: string[] }> {
  const migrations = options.migrations ?? embedded
  return await openSession(connectionConfig(url), async (session) => {
    // The lock belongs to the connection: it goes when this session ends, whatever happens.
    await session.query({ text: 'SELECT pg_advisory_lock($1)', values: [lockKey] })
    await run(session, historyTable)
    const applied: string[] = []
    for (const migration of missing(migrations, await readHistory(session))) {
      const startedAt = performance.now()
      await apply(session, migration)
      log.info({ migration: migration.name, ms: Math.round(performance.now() - startedAt) }, 'migration applied')
      applied.push(migration.name)
    }
    const retention = options.retention ?? { meterReadingDays: null, journalDays: 30 }
    await ensurePartitionsIn(session, options.now ?? new Date(), retention)
    return { applied }
  })
}

interface HistoryRow {
  name: string
  checksum: string
  finished: boolean
}

const readHistory = (session: Session) =>
  session.query<HistoryRow>({
    text: `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
           FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`,
    values: [],
  })

function missing(migrations: readonly Migration[], history: readonly HistoryRow[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]))
  for (const { name, checksum, finished } of history) {
    const migration = known.get(name)
    if (!migration) {
      throw new MigrationError(
        `The database is newer than this binary: it holds migration ${name}. Start a newer Busbar.`,
      )
    }
    if (!finished) {
      throw new MigrationError(
        `Migration ${name} was begun by another tool and did not finish; see prisma migrate resolve.`,
      )
    }
    if (checksum !== checksumOf(migration)) {
      throw new MigrationError(`Migration ${name} was changed after this database applied it.`)
    }
  }
  const done = new Set(history.map(({ name }) => name))
  return migrations.filter(({ name }) => !done.has(name)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function apply(session: Session, migration: Migration): Promise<void> {
  try {
    await dbTransaction(session, async () => {
      await run(session, migration.sql)
      await session.query({
        text: `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
               VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
        values: [randomUUID(), checksumOf(migration), migration.name],
      })
    })
  } catch (cause) {
    if (cause instanceof UnavailableError) throw cause
    throw new MigrationError(`Migration ${migration.name} failed and was undone: ${messageOf(cause)}`, { cause })
  }
}

/** A text without values may hold many statements. */
const run = (session: Session, text: string) => session.query({ text, values: [] })
const checksumOf = ({ sql }: Migration) => createHash('sha256').update(sql).digest('hex')
const messageOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))
