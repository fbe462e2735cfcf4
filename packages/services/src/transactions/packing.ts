import type { Job } from '@busbar/backbone'
import { inOrder, insertInto, packReadings, type Session, type Sql, type StoredReading, sql } from '@busbar/store'
import type { Decision, DecisionContext, InboundRecord } from '../pipeline/service.js'

/** Brings the readings of a transaction that is over into a pack; its key is the transaction's id. */
const packJob = 'pack-readings'

/** Time for what the station had queued. What comes later still makes a pack of its own. */
const packAfterMs = 60 * 60 * 1_000

/** So many rows of one transaction in a pack, and of all transactions in a batch. */
const rowsAtOnce = { each: 2_000, all: 20_000 }

/** A longer reading gains nothing in a pack: Postgres compresses it where it lies. */
const maxReadingBytes = 4_000

/** The row of meter_reading_pack. */
interface ReadingPack {
  transactionId: string
  number: number
  firstAt: Date
  lastAt: Date
  receivedAt: Date
  readings: Uint8Array
}

/** Rows of a transaction that are to go into its next pack. */
export interface Unpacked {
  transactionId: string
  /** Of the pack. */
  number: number
  /** By the station's time. */
  readings: StoredReading[]
  /** There are more. */
  isPart: boolean
}

const selectUnpacked = sql(`
  SELECT due.id AS "transactionId", r.sampled_at AS "sampledAt", r.received_at AS "receivedAt", r.reading,
    (SELECT coalesce(max(number) + 1, 0) FROM meter_reading_pack WHERE transaction_id = due.id) AS number
  FROM unnest($1::uuid[]) AS due (id)
  CROSS JOIN LATERAL (
    SELECT sampled_at, received_at, reading FROM meter_reading
    WHERE transaction_id = due.id AND octet_length(reading) <= ${maxReadingBytes}
    ORDER BY sampled_at LIMIT $2) AS r`)

const deletePacked = sql(`
  DELETE FROM meter_reading AS m
  USING unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS pack (transaction_id, first_at, last_at)
  WHERE m.transaction_id = pack.transaction_id AND m.sampled_at BETWEEN pack.first_at AND pack.last_at
    AND octet_length(m.reading) <= ${maxReadingBytes}`)

const insertPacks = insertInto('meter_reading_pack', {
  transactionId: 'uuid',
  number: 'int4',
  firstAt: 'timestamptz',
  lastAt: 'timestamptz',
  receivedAt: 'timestamptz',
  readings: 'bytea',
})

/** What a batch packs. */
export class Packing {
  readonly #unpacked: Map<string, Unpacked>
  readonly #packs: ReadingPack[] = []

  constructor(unpacked: readonly Unpacked[]) {
    this.#unpacked = new Map(unpacked.map((each) => [each.transactionId, each]))
  }

  /**
   * Packs what the job found. Safe to run twice: what is packed is no row any more.
   * @returns the job again where there is more
   */
  run({ record, now }: Pick<DecisionContext, 'record' | 'now'>): Decision {
    const job = { ...toJob(record.headers.key ?? '', record.stationId), dueAt: now }
    const unpacked = this.#unpacked.get(job.key)
    this.#unpacked.delete(job.key)
    if (unpacked) this.#packs.push(toPack(unpacked))
    return { jobs: unpacked?.isPart ? { put: [job], remove: [] } : { put: [], remove: [job] } }
  }

  /** Before the rows of the batch are inserted: a late one may fall into the time of a pack. */
  save(): Sql[] {
    const packs = this.#packs
    if (packs.length === 0) return []
    const spans = [
      packs.map(({ transactionId }) => transactionId),
      packs.map(({ firstAt }) => firstAt.toISOString()),
      packs.map(({ lastAt }) => lastAt.toISOString()),
    ]
    return [deletePacked(...spans), insertPacks(packs)]
  }
}

/** To be put whenever a transaction that is over was told of. */
export function packLater(transaction: { id: string; stationId: string }, now: Date): Job {
  return { ...toJob(transaction.id, transaction.stationId), dueAt: new Date(now.getTime() + packAfterMs) }
}

const toJob = (key: string, stationId: string) => ({
  service: 'transactions' as const,
  kind: packJob,
  key,
  stationId,
})

export const isPackJob = ({ type, headers }: InboundRecord) => type === 'due' && headers.kind === packJob

export async function loadUnpacked(session: Session, records: readonly InboundRecord[]): Promise<Unpacked[]> {
  const ids = [...new Set(records.filter(isPackJob).map(({ headers }) => headers.key ?? ''))]
  if (ids.length === 0) return []
  const limit = Math.max(1, Math.min(rowsAtOnce.each, Math.floor(rowsAtOnce.all / ids.length)))
  const rows = await session.query<StoredReading & { transactionId: string; number: number }>(
    selectUnpacked(ids, limit + 1),
  )
  const byTransaction = new Map<string, Unpacked>()
  for (const { transactionId, number, ...reading } of rows) {
    const known = byTransaction.get(transactionId) ?? { transactionId, number, readings: [], isPart: false }
    byTransaction.set(transactionId, known)
    known.readings.push(reading)
  }
  return [...byTransaction.values()].flatMap((unpacked) => {
    if (unpacked.readings.length <= limit) return [unpacked]
    // A pack takes all rows of its time: those of its last moment may not all be here.
    const last = unpacked.readings.at(-1)?.sampledAt.getTime()
    const readings = unpacked.readings.filter(({ sampledAt }) => sampledAt.getTime() !== last)
    return readings.length > 0 ? [{ ...unpacked, readings, isPart: true }] : []
  })
}

function toPack({ transactionId, number, readings }: Unpacked): ReadingPack {
  const ordered = inOrder(readings)
  const [first, last] = [ordered[0], ordered.at(-1)]
  if (!first || !last) throw new Error('a pack of nothing')
  const receivedAt = new Date(Math.max(...ordered.map((each) => each.receivedAt.getTime())))
  const { sampledAt: firstAt } = first
  return { transactionId, number, firstAt, lastAt: last.sampledAt, receivedAt, readings: packReadings(ordered) }
}
