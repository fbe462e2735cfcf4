import type { Database } from '@busbar/store'
import { stepColumns, transactionColumns } from './save.js'
import { stableJson } from './stable-json.js'
import type { ChargingState } from './state.js'

/**
 * What a history comes to, in a form that can be compared: rows in a fixed order, own ids replaced by natural keys,
 * and without what tells how messages came instead of what they say (see README.md).
 */
export interface Projection {
  transactions: object[]
  steps: object[]
  aliases: object[]
  readings: object[]
}

interface Rows {
  transactions: { id: string; naturalKey: string; flags: string[] }[]
  steps: { transactionId: string; stepKey: string; flags: string[] }[]
  aliases: { transactionId: string }[]
  readings: { transactionId: string | null }[]
}

/** Flags that depend on the order of arrival by their meaning. */
const arrivalFlags = ['late', 'corrected']

/** @param options.arrival false leaves out what the order of arrival may change */
export function project(rows: Rows, { arrival }: { arrival: boolean }): Projection {
  const keys = new Map(rows.transactions.map(({ id, naturalKey }) => [id, naturalKey]))
  const keyOf = (id: string | null) => (id === null ? null : keys.get(id))
  const flagsOf = (flags: string[]) => (arrival ? flags : flags.filter((flag) => !arrivalFlags.includes(flag)))
  const without = (names: string[], row: object) =>
    Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name)))
  // transactionData names no connector: where a Stop came before its Start, the place was not known yet.
  const placeColumns = arrival ? [] : ['evseNumber', 'connectorNumber']
  const arrivalColumns = arrival ? [] : ['createdAt', 'updatedAt', 'receivedAt', 'connectionId', 'sequence']
  return {
    transactions: sorted(
      rows.transactions.map((row) => ({ ...without(['id', ...arrivalColumns], row), flags: flagsOf(row.flags) })),
    ),
    steps: sorted(
      rows.steps.map((row) => ({
        ...without(arrivalColumns, row),
        transactionId: keyOf(row.transactionId),
        flags: flagsOf(row.flags),
      })),
    ),
    aliases: sorted(rows.aliases.map((row) => ({ ...row, transactionId: keyOf(row.transactionId) }))),
    readings: distinct(
      sorted(
        rows.readings.map((row) => ({
          ...without([...arrivalColumns, ...placeColumns], row),
          transactionId: keyOf(row.transactionId),
        })),
      ),
    ),
  }
}

/** The rows a state would have written, each once, as `ON CONFLICT DO NOTHING` keeps them. */
export function rowsOf(state: ChargingState): Rows {
  const readings = new Map<string, (typeof state.newReadings)[number]>()
  for (const reading of state.newReadings) {
    const { sampledAt, stationId, evseNumber, connectorNumber, contentKey } = reading
    const key = [sampledAt.toISOString(), stationId, evseNumber, connectorNumber, contentKey].join()
    if (!readings.has(key)) readings.set(key, reading)
  }
  return {
    transactions: [...state.changedTransactions].map((row) => ({ ...row })),
    steps: [...state.changedSteps].map((row) => ({ ...row })),
    aliases: [...state.newAliases],
    readings: [...readings.values()],
  }
}

/** The rows in Postgres of one station. */
export async function storedRows(database: Database, stationId: string): Promise<Rows> {
  const read = <Row>(table: string, columns: readonly string[]) =>
    database.query<Row>({
      text: `SELECT ${columns.map((name) => `${toColumn(name)} AS "${name}"`)} FROM ${table} WHERE station_id = $1`,
      values: [stationId],
    })
  const readingColumns = ['sampledAt', 'stationId', 'evseNumber', 'connectorNumber', 'contentKey', 'transactionId']
  const [transactions, steps, aliases, readings] = await Promise.all([
    read<Rows['transactions'][number]>('charging_transaction', Object.keys(transactionColumns)),
    read<Rows['steps'][number] & { sequence: bigint }>('transaction_step', Object.keys(stepColumns)),
    read<Rows['aliases'][number]>('transaction_alias', ['stationId', 'ocppId', 'transactionId']),
    read<Rows['readings'][number]>('meter_reading', [...readingColumns, 'receivedAt', 'samples']),
  ])
  return { transactions, steps: steps.map((row) => ({ ...row, sequence: Number(row.sequence) })), aliases, readings }
}

function toColumn(name: string): string {
  return `"${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}"`
}

/** By the text of the whole row: any order will do as long as it is the same. */
function sorted(rows: object[]): object[] {
  return rows
    .map((row) => ({ row, text: textOf(row) }))
    .sort((left, right) => (left.text < right.text ? -1 : 1))
    .map(({ row }) => row)
}

function distinct(rows: object[]): object[] {
  return [...new Map(rows.map((row) => [textOf(row), row])).values()]
}

// Stable, because jsonb gives members back in an order of its own.
function textOf(row: object): string {
  return stableJson(
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
    ),
  )
}
