import { insertInto, newId, type Session, type Sql, sql } from '@busbar/store'
import type { z } from 'zod'
import type { Caller } from '../access.js'
import type { RouteContext } from '../api.js'
import { audited } from '../audit.js'
import type { InTurn } from '../in-turn.js'
import type { Cells, FileRow } from './csv.js'
import type { ImportReport, Outcome, ReportItem } from './report.js'

/** A row that is as described. */
export interface Item<Value> {
  row: number
  value: Value
}

/** What becomes of such a row. */
export interface Verdict {
  row: number
  outcome: Outcome
  /** Why it was refused. */
  reason?: string
  /** Made by Busbar. */
  password?: string | undefined
  /** Of a change: `details` holds no secret. */
  audit?: { action: string; targetId: string; details: object }
}

/** One kind of record that is imported. */
export interface ImportKind<Value, Prepared> {
  name: 'stations' | 'secrets' | 'tokens'
  /** Of a CSV. */
  cells: Cells
  value: z.ZodType<Value>
  /** Two rows of one identity contradict each other; `shown` may be told. */
  keyOf(value: Value): { identity: string; shown: string }
  /** Slow work, before any row is locked. */
  prepare(items: readonly Item<Value>[], context: RouteContext): Promise<Prepared>
  /** Locks what the rows are about, writes it with few statements, and says what became of each row. */
  apply(items: readonly Item<Value>[], session: Session, prepared: Prepared): Promise<Verdict[]>
}

const insertAudits = insertInto('audit_entry', {
  actor: 'text',
  action: 'text',
  targetType: 'text',
  targetId: 'text',
  details: 'jsonb',
})
const begin = sql('BEGIN')
const commit = sql('COMMIT')
const rollback = sql('ROLLBACK')

/**
 * Imports the rows that can be, in one dbTransaction, and says of each what became of it. A dry run does the same and
 * takes it back.
 * @throws DataError when somebody else made one of them at the same moment; nothing was imported then
 */
export async function runImport<Value, Prepared>(
  kind: ImportKind<Value, Prepared>,
  rows: readonly FileRow[],
  options: { isDryRun: boolean; caller: Caller; turn: InTurn },
  context: RouteContext,
): Promise<ImportReport> {
  const { isDryRun, caller, turn } = options
  const id = newId()
  const { items, refused, keys } = readItems(kind, rows)
  const prepared = await kind.prepare(items, context)
  const importRows = async (session: Session) => {
    await session.query(begin())
    const applied = await kind.apply(items, session, prepared)
    const all = [...refused, ...applied]
    const changes = applied.flatMap(({ audit }) => audit ?? [])
    const audits = [
      audited(caller, `import.${kind.name}`, id, countOutcomes(all)),
      ...changes.map(({ action, targetId, details }) => audited(caller, action, targetId, { ...details, import: id })),
    ]
    await session.query(insertAudits(audits))
    // A session that ends without either is taken back by Postgres.
    await session.query(isDryRun ? rollback() : commit())
    return all
  }
  const verdicts = await turn.run(() => context.database.session(importRows))
  const toItem = ({ row, outcome, reason, password }: Verdict): ReportItem => ({
    ...{ row, outcome, key: keys.get(row) ?? null, reason: reason ?? null },
    password: isDryRun ? null : (password ?? null),
  })
  const report = verdicts.map(toItem).sort((left, right) => left.row - right.row)
  return { id, dryRun: isDryRun, ...countOutcomes(verdicts), items: report }
}

/** Rows that are not as described, or speak of what a row before them spoke of, go no further. */
function readItems<Value>(kind: ImportKind<Value, unknown>, rows: readonly FileRow[]) {
  const items: Item<Value>[] = []
  const refused: Verdict[] = []
  const keys = new Map<number, string>()
  const first = new Map<string, number>()
  const refuse = (row: number, reason: string) => refused.push({ row, outcome: 'refused', reason })
  for (const { row, value, fault } of rows) {
    const parsed = kind.value.safeParse(value)
    if (fault !== null || !parsed.success) {
      refuse(row, fault ?? describe(parsed.error))
      continue
    }
    const { identity, shown } = kind.keyOf(parsed.data)
    keys.set(row, shown)
    const earlier = first.get(identity)
    first.set(identity, earlier ?? row)
    if (earlier === undefined) items.push({ row, value: parsed.data })
    else refuse(row, `Row ${earlier} speaks of it already.`)
  }
  return { items, refused, keys }
}

function describe(error: z.ZodError | undefined): string {
  const issues = error?.issues ?? []
  return issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message)).join('; ')
}

function countOutcomes(verdicts: readonly Verdict[]): Record<Outcome | 'rows', number> {
  const counts = { rows: verdicts.length, created: 0, updated: 0, unchanged: 0, refused: 0 }
  for (const { outcome } of verdicts) counts[outcome] += 1
  return counts
}

/** One statement for the whole file, or none. */
export async function write<Row>(
  session: Session,
  statement: (rows: readonly Row[]) => Sql,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length > 0) await session.query(statement(rows))
}
