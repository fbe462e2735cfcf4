import { createHash } from 'node:crypto'
import type { Session } from '../database.js'
import { sql } from '../rows.js'
import { type StoredReading, unpackReadings } from './pack.js'
import { decodeReading, type Reading } from './reading.js'

/** The place of a reading among those of its transaction: by the station's time, then by its content. */
export interface ReadingPlace {
  sampledAt: Date
  contentKey: string
}

export interface TransactionReading extends Reading, ReadingPlace {
  /** When it first came. */
  receivedAt: Date
}

const selectRows = sql(`
  SELECT DISTINCT ON (sampled_at, key) sampled_at AS "sampledAt", received_at AS "receivedAt", reading FROM (
    SELECT *, encode(sha256(reading), 'hex') AS key FROM meter_reading
    WHERE transaction_id = $1 AND sampled_at >= $2) AS rows
  WHERE (sampled_at, key) > ($2, $3)
  ORDER BY sampled_at, key, received_at LIMIT $4`)

const selectSpans = sql(`
  SELECT number, first_at AS "firstAt" FROM meter_reading_pack
  WHERE transaction_id = $1 AND last_at >= $2 ORDER BY first_at`)

const selectPack = sql('SELECT readings FROM meter_reading_pack WHERE transaction_id = $1 AND number = $2')

/**
 * The readings of a transaction in their order, each once, whether they lie in rows of their own or in packs.
 * @param page.after begins behind this place; null: with the first
 */
export async function readReadings(
  database: Session,
  transactionId: string,
  page: { after: ReadingPlace | null; limit: number },
): Promise<TransactionReading[]> {
  const { after, limit } = page
  const from = after?.sampledAt.toISOString() ?? '-infinity'
  // Rows before packs: what is packed in between is found twice, not missed.
  const rows = await database.query<StoredReading>(selectRows(transactionId, from, after?.contentKey ?? '', limit))
  const spans = await database.query<{ number: number; firstAt: Date }>(selectSpans(transactionId, from))
  let found = inOrder(rows, after)
  for (const { number, firstAt } of spans) {
    const last = found[limit - 1]
    if (last && last.sampledAt < firstAt) break
    const packs = await database.query<{ readings: Uint8Array }>(selectPack(transactionId, number))
    found = inOrder([...found, ...packs.flatMap(({ readings }) => unpackReadings(readings))], after)
  }
  return found.slice(0, limit).map(({ reading, ...place }) => ({ ...place, ...decodeReading(reading) }))
}

/** Sorted, what is behind `after`, and of equal ones that which came first. */
export function inOrder(
  readings: readonly StoredReading[],
  after: ReadingPlace | null = null,
): (StoredReading & ReadingPlace)[] {
  const keyed = readings
    .map((each) => ({ ...each, contentKey: createHash('sha256').update(each.reading).digest('hex') }))
    .filter((each) => after === null || comparePlaces(each, after) > 0)
    .sort((left, right) => comparePlaces(left, right) || left.receivedAt.getTime() - right.receivedAt.getTime())
  return keyed.filter((each, index) => {
    const before = keyed[index - 1]
    return before === undefined || comparePlaces(before, each) !== 0
  })
}

function comparePlaces(left: ReadingPlace, right: ReadingPlace): number {
  const byTime = left.sampledAt.getTime() - right.sampledAt.getTime()
  if (byTime !== 0) return byTime
  return left.contentKey < right.contentKey ? -1 : left.contentKey > right.contentKey ? 1 : 0
}
