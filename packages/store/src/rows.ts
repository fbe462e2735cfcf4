import { createHash } from 'node:crypto'
import type { Sql } from './database.js'

/** Postgres types a column may have, with what a row gives for it; null or undefined is NULL. */
export interface ColumnTypes {
  text: string
  uuid: string
  bool: boolean
  int2: number
  int4: number
  int8: bigint | number
  float8: number
  /** Decimal digits, exact. */
  numeric: string
  /** YYYY-MM-DD, or the UTC day of a Date. */
  date: string | Date
  timestamptz: Date
  bytea: Uint8Array
  /** Any JSON value. */
  jsonb: unknown
  'text[]': readonly string[]
}

/** Property name in camel case, as in the Prisma model, with its type; the column is the same in snake case. */
export type Columns = Readonly<Record<string, keyof ColumnTypes>>

export type Row<C extends Columns> = { readonly [Name in keyof C]?: ColumnTypes[C[Name]] | null | undefined }

/**
 * Prepares `INSERT ... SELECT FROM unnest(...)`: one statement for any number of rows, one array per column.
 *
 * ```ts
 * const insertSteps = insertInto('transaction_step', { transactionId: 'uuid', stepKey: 'text' }, 'ON CONFLICT DO NOTHING')
 * await database.commit([insertSteps(steps)])
 * ```
 * @param tail what follows the SELECT: ON CONFLICT, RETURNING. The rows' columns are EXCLUDED there.
 */
export function insertInto<const C extends Columns>(
  table: string,
  columns: C,
  tail = '',
): (rows: readonly Row<C>[]) => Sql {
  const names = columnNames(columns)
  return statement(
    columns,
    `INSERT INTO ${quote(table)} (${names}) SELECT ${selected(columns)} FROM ${unnest(columns)} AS r(${names}) ${tail}`,
  )
}

/**
 * Prepares an insert that overwrites the other columns where the key is taken already.
 * A key may come once per call: Postgres refuses to touch a row twice in one statement (SQLSTATE 21000).
 * @param keys the columns of the primary key or of a unique index
 * @param updates the columns to overwrite; all that are no key unless given
 */
export function upsertInto<const C extends Columns>(
  table: string,
  columns: C,
  keys: readonly (keyof C & string)[],
  updates: readonly (keyof C & string)[] = Object.keys(columns).filter((name) => !keys.includes(name)),
): (rows: readonly Row<C>[]) => Sql {
  const conflict = keys.map(toColumn).join(', ')
  const set = updates.map((name) => `${toColumn(name)} = EXCLUDED.${toColumn(name)}`).join(', ')
  return insertInto(table, columns, `ON CONFLICT (${conflict}) DO UPDATE SET ${set}`)
}

/**
 * Prepares an update of existing rows; rows that do not exist stay so.
 * @param tail more after the join on the keys: `AND t.epoch <= r.epoch`, RETURNING; `t` is the table, `r` the rows
 */
export function updateRows<const C extends Columns>(
  table: string,
  columns: C,
  keys: readonly (keyof C & string)[],
  tail = '',
): (rows: readonly Row<C>[]) => Sql {
  const names = columnNames(columns)
  const set = Object.entries(columns)
    .filter(([name]) => !keys.includes(name))
    .map(([name, type]) => `${toColumn(name)} = ${cast(`r.${toColumn(name)}`, type)}`)
  return statement(
    columns,
    `UPDATE ${quote(table)} AS t SET ${set.join(', ')} FROM ${unnest(columns)} AS r(${names}) WHERE ${join(keys)} ${tail}`,
  )
}

/** Prepares a delete of the rows with these keys. `t` is the table and `r` the rows in the tail. */
export function deleteFrom<const C extends Columns>(
  table: string,
  keys: C,
  tail = '',
): (rows: readonly Row<C>[]) => Sql {
  return statement(
    keys,
    `DELETE FROM ${quote(table)} AS t USING ${unnest(keys)} AS r(${columnNames(keys)}) WHERE ${join(Object.keys(keys))} ${tail}`,
  )
}

/**
 * Prepares a read of the rows with these keys, one query for a whole batch; columns come as `AS "camelCase"`.
 * @param columns what to read; the order has no meaning
 */
export function selectFrom<const C extends Columns>(
  table: string,
  columns: readonly string[],
  keys: C,
  tail = '',
): (rows: readonly Row<C>[]) => Sql {
  const list = columns.map((name) => `t.${toColumn(name)} AS ${quote(name)}`).join(', ')
  return statement(
    keys,
    `SELECT ${list} FROM ${quote(table)} AS t JOIN ${unnest(keys)} AS r(${columnNames(keys)}) ON ${join(Object.keys(keys))} ${tail}`,
  )
}

/**
 * Prepares any other statement over rows.
 * @param toText is given what stands behind FROM: the rows as `r`, with its columns in snake case
 */
export function overRows<const C extends Columns>(
  columns: C,
  toText: (rows: string) => string,
): (rows: readonly Row<C>[]) => Sql {
  return statement(columns, toText(`${unnest(columns)} AS r(${columnNames(columns)})`))
}

/** A fixed text as a prepared statement: `const find = sql('SELECT ... WHERE id = ANY($1)')`, then `find([ids])`. */
export function sql(text: string): (...values: unknown[]) => Sql {
  const name = statementName(text)
  return (...values) => ({ name, text, values })
}

function statement<C extends Columns>(columns: C, text: string): (rows: readonly Row<C>[]) => Sql {
  const name = statementName(text)
  const entries = Object.entries(columns).map(([column, type]) => ({ column, encode: encoders[type] }))
  return (rows) => ({
    name,
    text,
    values: entries.map(({ column, encode }) =>
      rows.map((row) => {
        const value = row[column]
        return value === null || value === undefined ? null : encode(value)
      }),
    ),
  })
}

const asIs = (value: unknown) => value
const encoders: Record<keyof ColumnTypes, (value: unknown) => unknown> = {
  text: asIs,
  uuid: asIs,
  bool: asIs,
  int2: asIs,
  int4: asIs,
  int8: asIs,
  float8: asIs,
  numeric: asIs,
  date: (value) => (value instanceof Date ? value.toISOString().slice(0, 10) : value),
  // In UTC: the driver would write the machine's offset, which it rounds to minutes for dates long ago.
  timestamptz: (value) => (value instanceof Date ? value.toISOString() : value),
  // The driver would take a view inside an array for a nested array.
  bytea: (value) => (value instanceof Buffer ? value : Buffer.from(value as Uint8Array)),
  // Arrays in an array would be taken for a second dimension.
  jsonb: (value) => JSON.stringify(value),
  // unnest flattens a second dimension, so a list travels as text in Postgres' own notation.
  'text[]': (value) => `{${(value as string[]).map((each) => `"${each.replace(/["\\]/g, '\\$&')}"`).join(',')}}`,
}

const quote = (name: string) => `"${name}"`
/** stationId -> "station_id" */
const toColumn = (name: string) => quote(name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
const columnNames = (columns: Columns) => Object.keys(columns).map(toColumn).join(', ')
const cast = (column: string, type: keyof ColumnTypes) => (type === 'text[]' ? `${column}::text[]` : column)
const selected = (columns: Columns) =>
  Object.entries(columns)
    .map(([name, type]) => cast(`r.${toColumn(name)}`, type))
    .join(', ')
const unnest = (columns: Columns) =>
  `unnest(${Object.values(columns)
    .map((type, index) => `$${index + 1}::${type === 'text[]' ? 'text' : type}[]`)
    .join(', ')})`
const join = (keys: readonly string[]) => keys.map((key) => `t.${toColumn(key)} = r.${toColumn(key)}`).join(' AND ')

/** Postgres cuts names at 63 bytes. */
const statementName = (text: string) => `s${createHash('sha256').update(text).digest('hex').slice(0, 24)}`
