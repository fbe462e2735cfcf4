import { isDeepStrictEqual } from 'node:util'
import { insertInto, newId, type Session, sql, updateRows } from '@busbar/store'
import type { z } from 'zod'
import { listSyncJobs } from '../list-sync.js'
import { shownValue, TokenDraft } from '../routes/tokens.js'
import { defined } from '../schemas.js'
import { type ImportKind, type Item, type Verdict, write } from './import.js'

type Draft = z.infer<typeof TokenDraft>

/** What an operator decides about a token. */
interface Decided {
  status: string
  expiresAt: Date | null
  groupId: string | null
  maxTransactions: number | null
  language: string | null
  note: string | null
}
interface Known extends Decided {
  id: string
  foldedValue: string
  type: string
}

const read = (table: string) => `
  ${table}.id, ${table}.folded_value AS "foldedValue", ${table}.type, ${table}.status, ${table}.expires_at AS "expiresAt",
  ${table}.group_id AS "groupId", ${table}.max_transactions AS "maxTransactions", ${table}.language, ${table}.note`
const lockTokens = sql(`
  SELECT ${read('t')} FROM token t JOIN unnest($1::text[], $2::text[]) AS r(folded_value, type)
    ON t.folded_value = r.folded_value AND t.type = r.type
  ORDER BY t.id FOR UPDATE OF t`)
const selectGroups = sql('SELECT id FROM token_group WHERE id = ANY($1)')
/** The rest by default. */
const insertTokens = insertInto(
  'token',
  { id: 'uuid', value: 'text', foldedValue: 'text', type: 'text', updatedAt: 'timestamptz' },
  `RETURNING ${read('token')}`,
)
const updateTokens = updateRows(
  'token',
  {
    id: 'uuid',
    status: 'text',
    expiresAt: 'timestamptz',
    groupId: 'text',
    maxTransactions: 'int4',
    language: 'text',
    note: 'text',
    updatedAt: 'timestamptz',
  },
  ['id'],
)

/** As `POST` and `PATCH` of `/v1/tokens`, found by value and type. What a row does not give stays as it is. */
export const tokens: ImportKind<Draft, null> = {
  name: 'tokens',
  cells: {
    value: 'text',
    type: 'text',
    status: 'text',
    expiresAt: 'text',
    groupId: 'text',
    maxTransactions: 'integer',
    language: 'text',
    note: 'text',
  },
  value: TokenDraft,
  keyOf: (draft) => ({ identity: keyOf(draft.value.toLowerCase(), draft.type), shown: shownValue(draft) }),
  prepare: async () => null,
  apply: async (items, session) => {
    const groups = await findGroups(items, session)
    const sound = items.filter(({ value: { groupId } }) => typeof groupId !== 'string' || groups.has(groupId))
    const known = await lock(sound, session)
    const created = await create(
      sound.filter(({ value }) => !known.has(keyOf(value.value.toLowerCase(), value.type))),
      session,
    )
    const changed: Known[] = []
    const verdicts = items.map(({ row, value: draft }): Verdict => {
      const key = keyOf(draft.value.toLowerCase(), draft.type)
      const { value: _, type: __, ...given } = defined(draft)
      const before = known.get(key) ?? created.get(key)
      if (!before) return { row, outcome: 'refused', reason: `There is no token group "${draft.groupId}".` }
      const after = { ...before, ...given }
      const isChanged = !isDeepStrictEqual(before, after)
      if (isChanged) changed.push(after)
      if (!isChanged && known.has(key)) return { row, outcome: 'unchanged' }
      const details = { ...draft, value: shownValue(draft) }
      return known.has(key)
        ? { row, outcome: 'updated', audit: { action: 'token.update', targetId: before.id, details: given } }
        : { row, outcome: 'created', audit: { action: 'token.create', targetId: before.id, details } }
    })
    const updatedAt = new Date()
    await write(
      session,
      updateTokens,
      changed.map((row) => ({ ...row, updatedAt })),
    )
    if (verdicts.some(({ audit }) => audit)) await session.query(listSyncJobs())
    return verdicts
  },
}

const keyOf = (foldedValue: string, type: string) => `${type} ${foldedValue}`

async function findGroups(items: readonly Item<Draft>[], session: Session): Promise<ReadonlySet<string>> {
  const named = items.flatMap(({ value: { groupId } }) => groupId ?? [])
  const rows = await session.query<{ id: string }>(selectGroups([...new Set(named)]))
  return new Set(rows.map(({ id }) => id))
}

const byKey = (rows: readonly Known[]) => new Map(rows.map((row) => [keyOf(row.foldedValue, row.type), row]))

async function lock(items: readonly Item<Draft>[], session: Session): Promise<ReadonlyMap<string, Known>> {
  const folded = items.map(({ value: { value } }) => value.toLowerCase())
  return byKey(
    await session.query<Known>(
      lockTokens(
        folded,
        items.map(({ value: { type } }) => type),
      ),
    ),
  )
}

async function create(items: readonly Item<Draft>[], session: Session): Promise<ReadonlyMap<string, Known>> {
  const updatedAt = new Date()
  const rows = items.map(({ value: { value, type } }) => {
    return { id: newId(), value, foldedValue: value.toLowerCase(), type, updatedAt }
  })
  return byKey(await session.query<Known>(insertTokens(rows)))
}
