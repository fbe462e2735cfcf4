import { type Database, decodeReading, encodeReading, inOrder, type StoredReading, unpackReadings } from '@busbar/store'
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

/** The rows a state would have written, the readings as they are read. */
export function rowsOf(state: ChargingState): Rows {
  const rows = state.newReadings.map((row) => ({ ...row, reading: encodeReading(row) }))
  return {
    transactions: [...state.changedTransactions].map((row) => ({ ...row })),
    steps: [...state.changedSteps].map((row) => ({ ...row })),
    aliases: [...state.newAliases],
    readings: readingsOf(rows),
  }
}

/** The rows in Postgres of one station. */
export async function storedRows(database: Database, stationId: string): Promise<Rows> {
  const read = <Row>(table: string, columns: readonly string[]) =>
    database.query<Row>({
      text: `SELECT ${columns.map((name) => `${toColumn(name)} AS "${name}"`)} FROM ${table} WHERE station_id = $1`,
      values: [stationId],
    })
  const [transactions, steps, aliases, readings, packs] = await Promise.all([
    read<Rows['transactions'][number]>('charging_transaction', Object.keys(transactionColumns)),
    read<Rows['steps'][number] & { sequence: bigint }>('transaction_step', Object.keys(stepColumns)),
    read<Rows['aliases'][number]>('transaction_alias', ['stationId', 'ocppId', 'transactionId']),
    read<ReadingRow>('meter_reading', ['sampledAt', 'receivedAt', 'transactionId', 'stationId', 'reading']),
    database.query<{ transactionId: string; readings: Uint8Array }>({
      text: `SELECT p.transaction_id AS "transactionId", p.readings FROM meter_reading_pack p
             JOIN charging_transaction t ON t.id = p.transaction_id WHERE t.station_id = $1`,
      values: [stationId],
    }),
  ])
  const packed = packs.flatMap(({ transactionId, readings }) =>
    unpackReadings(readings).map((row) => ({ ...row, transactionId, stationId })),
  )
  return {
    transactions,
    steps: steps.map((row) => ({ ...row, sequence: Number(row.sequence) })),
    aliases,
    readings: readingsOf([...readings, ...packed]),
  }
}

type ReadingRow = StoredReading & { transactionId: string | null; stationId: string }

/** Each once, of each transaction apart. */
function readingsOf(rows: readonly ReadingRow[]): Rows['readings'] {
  const owners = [...new Set(rows.map(({ transactionId }) => transactionId))]
  return owners.flatMap((owner) =>
    inOrder(rows.filter(({ transactionId }) => transactionId === owner)).map(({ reading, contentKey: _, ...row }) => ({
      ...row,
      transactionId: owner,
      ...decodeReading(reading),
    })),
  )
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
