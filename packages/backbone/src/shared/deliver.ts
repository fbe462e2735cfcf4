import type { Database } from '@busbar/store'
import type { Logger } from 'pino'
import type { EventLog, LogBatch, LogRecord } from '../ports/event-log.js'
import type { BackboneMetrics } from './metrics.js'
import { advanceOffsets, type Consumer, type Move, type Positions, positionKey } from './offsets.js'
import { partitionOf } from './partitioner.js'

export interface Delivery {
  consumer: Consumer
  partitions: number
  database: Database
  append: EventLog['append']
  onBatch: (batch: LogBatch) => Promise<void>
  log: Logger
  metrics: BackboneMetrics
}

/**
 * Hands over what came next on each partition and moves `positions` behind it. Records below a position are skipped; a
 * gap above it is reported, and reading goes on behind it. A record on a partition that is not its key's is appended
 * again where it belongs, in place of being handed over.
 *
 * @param records of any partitions, in offset order within each; those of a partition without position are left out
 * @throws whatever `onBatch` or the log throws; positions have not moved then
 */
export async function deliver(records: readonly LogRecord[], positions: Positions, delivery: Delivery): Promise<void> {
  const { consumer, partitions, metrics, log } = delivery
  const labels = { service: consumer.service }
  const moves = new Map<string, Move>()
  const fresh: LogRecord[] = []
  const misplaced: LogRecord[] = []
  for (const record of records) {
    const key = positionKey(record)
    const from = moves.get(key)?.from ?? positions.get(key)
    if (from === undefined) continue
    const expected = moves.get(key)?.to ?? from
    if (record.offset < expected) continue
    if (record.offset > expected) {
      metrics.offsetJumps.inc(labels)
      const { topic, partition, offset } = record
      log.error({ topic, partition, expected: `${expected}`, found: `${offset}` }, 'records are missing in the log')
    }
    moves.set(key, { topic: record.topic, partition: record.partition, from, to: record.offset + 1n })
    if (partitionOf(record.key, partitions) === record.partition) fresh.push(record)
    else misplaced.push(record)
  }
  if (moves.size === 0) return

  if (misplaced.length > 0) await rekey(misplaced, delivery)
  const advance = advanceOffsets(consumer, [...moves.values()])
  if (fresh.length > 0) await delivery.onBatch({ records: fresh, advance })
  else await delivery.database.commit([advance])
  metrics.deliveredRecords.observe(labels, fresh.length)
  for (const [key, move] of moves) positions.set(key, move.to)
}

async function rekey(records: readonly LogRecord[], { append, metrics, log, consumer }: Delivery): Promise<void> {
  log.warn({ topic: records[0]?.topic, records: records.length }, 'records on a wrong partition are appended again')
  await Promise.all(
    records.map(({ topic, key, value, headers, partition, offset }) =>
      append({ topic, key, value, headers: { ...headers, rekeyed: `${partition}/${offset}` } }),
    ),
  )
  metrics.rekeyed.inc({ service: consumer.service }, records.length)
}
