import { type Database, dbTransaction, type Session } from './database.js'

export interface Retention {
  /** null keeps them for ever. */
  meterReadingDays: number | null
  journalDays: number
}

interface PartitionedTable {
  name: string
  /** The column the ranges are over. */
  key: string
  /** When a row of the DEFAULT partition came in: its key is no measure, clocks are wrong. */
  receivedAt: string
  /** Start of the range `steps` after the one that holds `now`. */
  rangeStart(now: Date, steps: number): Date
  /** Ranges to have: late frames of the last one, and ahead enough for a worker that was away over a weekend. */
  ranges: { behind: number; ahead: number }
  /** Of the range start, in the partition's name. */
  digits: number
}

const tables = {
  meterReading: {
    name: 'meter_reading',
    key: 'sampled_at',
    receivedAt: 'received_at',
    rangeStart: (now, steps) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + steps, 1)),
    ranges: { behind: 1, ahead: 2 },
    digits: 6,
  },
  journalFrame: {
    name: 'journal_frame',
    key: 'at',
    receivedAt: 'at',
    rangeStart: (now, steps) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + steps)),
    ranges: { behind: 1, ahead: 7 },
    digits: 8,
  },
} satisfies Record<string, PartitionedTable>

/** Processes that do this at once wait for each other; the lock goes with the session when something fails. */
const lockKey = 72_707_370
const dayMs = 86_400_000

/** What has to be moved or deleted is without bound. */
const upkeepTimeoutMs = 15 * 60_000

/**
 * Creates the partitions of the time ahead and drops those whose whole range is older than the retention. Rows that
 * had come into a new partition's range before it existed are moved out of the DEFAULT partition. To be called daily;
 * safe to call at any time and from any process.
 *
 * @throws UnavailableError also when a reader keeps a table locked for more than 5 s; what was done stays
 */
export async function ensurePartitions(database: Database, now: Date, retention: Retention): Promise<void> {
  await database.session((session) => ensurePartitionsIn(session, now, retention), {
    statementTimeoutMs: upkeepTimeoutMs,
  })
}

/** In a session without a dbTransaction of its own. */
export async function ensurePartitionsIn(session: Session, now: Date, retention: Retention): Promise<void> {
  await session.query({ text: 'SELECT pg_advisory_lock($1)', values: [lockKey] })
  await ensureTable(session, tables.meterReading, now, retention.meterReadingDays)
  await ensureTable(session, tables.journalFrame, now, retention.journalDays)
  await session.query({ text: 'SELECT pg_advisory_unlock($1)', values: [lockKey] })
}

async function ensureTable(session: Session, table: PartitionedTable, now: Date, days: number | null): Promise<void> {
  const existing = await session.query<{ name: string }>({
    text: 'SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass',
    values: [table.name],
  })
  const names = new Set(existing.map(({ name }) => name))
  for (let steps = -table.ranges.behind; steps <= table.ranges.ahead; steps += 1) {
    const from = table.rangeStart(now, steps)
    if (!names.has(partitionName(table, from))) await create(session, table, from, table.rangeStart(from, 1))
  }
  if (days === null) return
  const keepFrom = new Date(now.getTime() - days * dayMs)
  const firstKept = partitionName(table, table.rangeStart(keepFrom, 0))
  const old = [...names].filter((name) => /_\d+$/.test(name) && name < firstKept)
  for (const name of old) await inDbTransaction(session, [`DROP TABLE ${name}`])
  await session.query({
    text: `DELETE FROM ${table.name}_default WHERE ${table.receivedAt} < $1`,
    values: [keepFrom.toISOString()],
  })
}

/** meter_reading_202611 */
const partitionName = (table: PartitionedTable, from: Date) =>
  `${table.name}_${from.toISOString().replaceAll('-', '').slice(0, table.digits)}`

async function create(session: Session, table: PartitionedTable, from: Date, to: Date): Promise<void> {
  const name = partitionName(table, from)
  const [start, end] = [`'${from.toISOString()}'`, `'${to.toISOString()}'`]
  await inDbTransaction(session, [
    `CREATE TABLE ${name} (LIKE ${table.name} INCLUDING DEFAULTS INCLUDING STORAGE)`,
    // No row may come into the range between the move and the attach. The parent first: a writer that had chosen its
    // partition already and waited for the default one would find its row refused there.
    `LOCK TABLE ONLY ${table.name} IN SHARE ROW EXCLUSIVE MODE`,
    `LOCK TABLE ${table.name}_default IN ACCESS EXCLUSIVE MODE`,
    `WITH moved AS (DELETE FROM ${table.name}_default WHERE ${table.key} >= ${start} AND ${table.key} < ${end} RETURNING *)
     INSERT INTO ${name} SELECT * FROM moved`,
    `ALTER TABLE ${table.name} ATTACH PARTITION ${name} FOR VALUES FROM (${start}) TO (${end})`,
  ])
}

/** Writers queue behind a lock that is waited for: better to try again tomorrow than to stop them. */
const lockTimeout = "SET LOCAL lock_timeout = '5s'"

const inDbTransaction = (session: Session, statements: readonly string[]) =>
  dbTransaction(session, async () => {
    for (const text of [lockTimeout, ...statements]) await session.query({ text, values: [] })
  })
