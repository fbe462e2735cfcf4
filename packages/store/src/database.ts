import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { toStoreError } from './errors.js'
import { PrismaClient } from './generated/prisma/client.js'
import { sql } from './rows.js'

/** One statement. With a name it is prepared once per connection: one name, one text. */
export interface Sql {
  text: string
  values: unknown[]
  name?: string
}

/** Rows come as Postgres types: int8 is bigint, numeric and date are strings, timestamptz is Date, jsonb is parsed. */
export interface Session {
  /** @throws UnavailableError DataError OffsetConflictError */
  query<Row>(statement: Sql): Promise<Row[]>
}

export interface Database extends Session {
  /** For reads and single writes of the API; its errors go through `toStoreError`. Never in the message path. */
  readonly prisma: PrismaClient
  /**
   * All statements in one dbTransaction. They are written to one connection without waiting for each other; the first
   * that fails undoes all.
   * @returns the rows of each statement
   * @throws DataError OffsetConflictError, nothing was committed
   * @throws UnavailableError, also when the connection broke during COMMIT and nobody knows: redo with the same keys
   */
  commit(statements: readonly Sql[]): Promise<unknown[][]>
  /**
   * The queries of `run` share a connection of the pool and do not wait for each other. Where several go out at once that
   * wakes one process of Postgres in place of one for each.
   * @throws UnavailableError DataError
   */
  pipelined<T>(run: (session: Session) => Promise<T>): Promise<T>
  /** A connection of its own while `run` lasts, outside the pool: for advisory locks and dbTransactions step by step. */
  session<T>(run: (session: Session) => Promise<T>, limits?: SessionLimits): Promise<T>
  /** @throws UnavailableError */
  ping(): Promise<void>
  close(): Promise<void>
}

export interface SessionLimits {
  /** As of the pool, and a minute unless given: how long one statement may run, a wait for a lock included. */
  statementTimeoutMs?: number
  /**
   * Where others wait for its locks: after so long without a statement Postgres ends the session, so that one whose process
   * is frozen or lost frees them. It has to be longer than `run` does anything else. Unless given Postgres waits.
   */
  idleTimeoutMs?: number
}

/** Connections of a pool, and queries that wait for one. */
export interface PoolUse {
  busy: number
  idle: number
  waiting: number
}

export interface OpenDatabase extends Database {
  poolUse(): PoolUse
}

export interface DatabaseConfig {
  url: string
  poolSize: number
  /** How long one statement may run; Postgres cancels it, and 1 s later we give the connection up. */
  statementTimeoutMs: number
}

const connectTimeoutMs = 5000
const sessionStatementTimeoutMs = 60_000
const limitIdle = sql("SELECT set_config('idle_session_timeout', $1, false)")
const parsers = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.INT8, BigInt],
  // The driver would make it midnight of the machine's time zone.
  [pg.types.builtins.DATE, String],
])

const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    const parser = format === 'binary' ? undefined : parsers.get(oid)
    return parser ?? pg.types.getTypeParser(oid, format)
  },
} as pg.CustomTypesConfig

export const connectionConfig = (url: string): pg.ClientConfig => ({
  connectionString: url,
  types,
  keepAlive: true,
  application_name: 'busbar',
  connectionTimeoutMillis: connectTimeoutMs,
})

/** With `pipeline` a statement that is given up ends its connection, and with it all that wait behind it. */
const statementLimit = (timeoutMs: number) => ({
  statement_timeout: timeoutMs,
  query_timeout: timeoutMs + 1000,
  pipeline: true,
})

/** Opens the pool; connections are made when first needed, so this works while Postgres is away. */
export function openDatabase(config: DatabaseConfig): OpenDatabase {
  const pool = new pg.Pool({
    ...connectionConfig(config.url),
    ...statementLimit(config.statementTimeoutMs),
    max: config.poolSize,
  })
  // An idle connection that dies is no one's failure: the pool has dropped it and opens another when needed.
  pool.on('error', () => {})
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })

  const query = async <Row>(statement: Sql): Promise<Row[]> => (await sorted(pool.query(statement))).rows

  return {
    prisma,
    query,
    poolUse: () => ({ busy: pool.totalCount - pool.idleCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    commit: (statements) => sorted(commitOn(pool, statements)),
    pipelined: (run) =>
      sorted(
        withClient(pool, async (client, keep) => {
          const result = await run(sessionOn(client))
          keep()
          return result
        }),
      ),
    session: (run, { statementTimeoutMs = sessionStatementTimeoutMs, idleTimeoutMs } = {}) =>
      openSession(
        {
          ...connectionConfig(config.url),
          ...statementLimit(statementTimeoutMs),
          idle_in_transaction_session_timeout: idleTimeoutMs,
        },
        async (session) => {
          if (idleTimeoutMs !== undefined) await session.query(limitIdle(String(idleTimeoutMs)))
          return await run(session)
        },
      ),
    ping: async () => {
      await query({ text: 'SELECT 1', values: [] })
    },
    close: async () => {
      await prisma.$disconnect()
      await pool.end()
    },
  }
}

const sessionOn = (client: pg.ClientBase): Session => ({
  query: async <Row>(statement: Sql): Promise<Row[]> => (await sorted(client.query(statement))).rows,
})

async function sorted<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (cause) {
    throw toStoreError(cause)
  }
}

async function commitOn(pool: pg.Pool, statements: readonly Sql[]): Promise<unknown[][]> {
  if (statements.length === 0) return []
  const [only, ...others] = statements
  // One statement is a transaction of its own.
  if (only && others.length === 0) return [(await pool.query(only)).rows]
  return withClient(pool, async (client, keep) => {
    // After a failed statement Postgres refuses the rest, and answers COMMIT with a rollback.
    const results = await Promise.allSettled([
      client.query('BEGIN'),
      ...statements.map((statement) => client.query(statement)),
      client.query('COMMIT'),
    ])
    if (results.at(-1)?.status === 'fulfilled') keep()
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
    return results.slice(1, -1).map((result) => (result.status === 'fulfilled' ? result.value.rows : []))
  })
}

/** @param run calls `keep` once it knows that the connection can serve others; else it is closed */
async function withClient<T>(pool: pg.Pool, run: (client: pg.PoolClient, keep: () => void) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  // A connection that dies here fails every statement of `run`; without a listener its error event would end the process.
  const ignore = () => {}
  client.on('error', ignore)
  let isSound = false
  try {
    return await run(client, () => {
      isSound = true
    })
  } finally {
    client.removeListener('error', ignore)
    client.release(!isSound)
  }
}

/** @throws UnavailableError when no connection can be made */
export async function openSession<T>(config: pg.ClientConfig, run: (session: Session) => Promise<T>): Promise<T> {
  const client = new pg.Client(config)
  // A connection lost between two statements fails the next one.
  client.on('error', () => {})
  await sorted(client.connect())
  try {
    return await run(sessionOn(client))
  } finally {
    await client.end()
  }
}

/** Step by step; for start-up and upkeep. The message path uses `commit`. */
export async function dbTransaction<T>(session: Session, run: () => Promise<T>): Promise<T> {
  await session.query({ text: 'BEGIN', values: [] })
  try {
    const result = await run()
    await session.query({ text: 'COMMIT', values: [] })
    return result
  } catch (cause) {
    // On a lost connection this fails too, and Postgres has undone everything by itself: the first error counts.
    await session.query({ text: 'ROLLBACK', values: [] }).catch(() => {})
    throw cause
  }
}
