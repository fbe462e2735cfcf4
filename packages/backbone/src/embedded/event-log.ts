import { type Database, sql } from '@busbar/store'
import type { Logger } from 'pino'
import type { ConsumeOptions, EventLog, TailOptions } from '../ports/event-log.js'
import { type AppendLimits, AppendQueue } from '../shared/append-queue.js'
import { deliver } from '../shared/deliver.js'
import { type BackboneMetrics, beginCounts } from '../shared/metrics.js'
import { positionKey, readOffsets, type TopicPartition } from '../shared/offsets.js'
import { type Range, TailProgress } from '../shared/tail-progress.js'
import type { Topics } from '../topics.js'
import { appendToTable } from './append.js'
import { claimEmbeddedLog } from './lock.js'
import { EmbeddedReader } from './reader.js'
import { startRetention } from './retention.js'

export interface EmbeddedEventLogOptions {
  database: Database
  topics: Topics
  partitions: number
  log: Logger
  metrics: BackboneMetrics
  limits?: Partial<AppendLimits>
}

export const embeddedLogId = 'embedded'
const lagEveryMs = 5000

/**
 * Opens the event log on Postgres: what Kafka does for a fleet, for one process.
 * @throws Error when another process has it open, or when its topics have another number of partitions
 */
export async function openEmbeddedEventLog(options: EmbeddedEventLogOptions): Promise<EventLog> {
  const { database, topics, partitions, log, metrics } = options
  const lock = await claimEmbeddedLog(database, log)
  try {
    await preparePartitions(database, topics, partitions)
  } catch (cause) {
    await lock.release()
    throw cause
  }
  const readers = new Set<EmbeddedReader>()
  const services = new Set<string>()
  const retention = startRetention(database, log)

  const queue = new AppendQueue({
    topics,
    partitions,
    log,
    metrics,
    ...(options.limits && { limits: options.limits }),
    send: async (records) => {
      if (!lock.held) throw new Error('the embedded log belongs to another process')
      await appendToTable(database, records)
      const keys = new Set(records.map(positionKey))
      for (const reader of readers) reader.notify(keys)
    },
  })

  async function start(reader: EmbeddedReader): Promise<{ stop(): Promise<void> }> {
    await reader.start()
    readers.add(reader)
    return {
      stop: async () => {
        readers.delete(reader)
        await reader.stop()
      },
    }
  }

  async function consume({ service, topics: names, gathered = [], onBatch, onAssigned }: ConsumeOptions) {
    if (services.has(service)) throw new Error(`the embedded log has one consumer per service, ${service} runs already`)
    services.add(service)
    const consumer = { log: embeddedLogId, service }
    beginCounts(metrics, service)
    const children = log.child({ consumer: service })
    const delivery = {
      consumer,
      partitions,
      database,
      append: queue.append.bind(queue),
      onBatch,
      log: children,
      metrics,
    }
    const reader = new EmbeddedReader({
      database,
      partitions: allPartitions(names, partitions),
      gathered,
      place: async () => {
        const ranges = await readRanges(database, names)
        return readOffsets(
          database,
          consumer,
          ranges.map((range) => ({ ...range, earliest: range.low })),
        )
      },
      deliver: (records, positions) => deliver(records, positions, delivery),
      onConflict: () => metrics.conflicts.inc({ service }),
      onPause: () => metrics.pauses.inc({ service }),
      log: children,
    })
    onAssigned?.(Array.from({ length: partitions }, (_, partition) => partition))
    metrics.partitionsRead.set({ service }, partitions)
    const lag = setInterval(() => void measureLag(reader, service, names), lagEveryMs)
    try {
      const started = await start(reader)
      return {
        stop: async () => {
          clearInterval(lag)
          await started.stop()
          services.delete(service)
        },
      }
    } catch (cause) {
      clearInterval(lag)
      services.delete(service)
      throw cause
    }
  }

  async function measureLag(reader: EmbeddedReader, service: string, names: readonly string[]): Promise<void> {
    try {
      let records = 0n
      for (const range of await readRanges(database, names)) {
        records += range.high - (reader.positions.get(positionKey(range)) ?? range.high)
      }
      metrics.laneLag.set({ service }, Number(records))
    } catch (cause) {
      log.warn({ err: cause }, 'the lag could not be measured')
    }
  }

  async function tail(wanted: TailOptions) {
    const progress = new TailProgress(wanted)
    progress.begin(await readRanges(database, wanted.topics))
    const running = await start(
      new EmbeddedReader({
        database,
        partitions: allPartitions(wanted.topics, partitions),
        gathered: wanted.topics,
        place: async () => progress.read,
        deliver: async (records) => progress.give(records),
        log: log.child({ consumer: 'tail' }),
      }),
    )
    await progress.caughtUp()
    return running
  }

  return {
    id: embeddedLogId,
    get available() {
      return lock.held && queue.available
    },
    append: (record, appendOptions) => queue.append(record, appendOptions),
    consume,
    tail,
    close: async () => {
      await queue.close()
      await retention.stop()
      await lock.release()
    },
  }
}

const countUnread = sql(`
  SELECT coalesce(sum(p.next - o.next), 0)::bigint AS unread
  FROM consumer_offset AS o JOIN log_partition AS p ON p.topic = o.topic AND p.partition = o.partition
  WHERE o.log = '${embeddedLogId}'`)

/** Records of the embedded log that a service has not applied yet: 0 before a system may move to Kafka. */
export async function countUnreadEmbeddedRecords(database: Database): Promise<number> {
  const [row] = await database.query<{ unread: bigint }>(countUnread())
  return Number(row?.unread ?? 0n)
}

async function preparePartitions(database: Database, topics: Topics, partitions: number): Promise<void> {
  const [, found] = await database.commit([
    {
      text: `INSERT INTO log_partition (topic, partition)
        SELECT topic, partition FROM unnest($1::text[]) AS topic, generate_series(0, $2::int - 1) AS partition
        WHERE NOT EXISTS (SELECT FROM log_partition AS p WHERE p.topic = topic.topic)`,
      values: [topics.all, partitions],
    },
    {
      text: `SELECT topic, count(*)::int AS count FROM log_partition WHERE topic = ANY($1)
        GROUP BY topic HAVING count(*) <> $2`,
      values: [topics.all, partitions],
    },
  ])
  const differing = (found as { topic: string; count: number }[]).map(({ topic, count }) => `${topic} has ${count}`)
  if (differing.length === 0) return
  throw new Error(
    `every topic must have ${partitions} partitions (BUSBAR_PARTITIONS), or stations lose their order: ${differing.join(', ')}`,
  )
}

const selectRanges = sql(`
  SELECT p.topic, p.partition, p.next AS high, coalesce(
    (SELECT min(r."offset") FROM log_record AS r WHERE r.topic = p.topic AND r.partition = p.partition), p.next
  ) AS low
  FROM log_partition AS p WHERE p.topic = ANY($1)`)

const readRanges = (database: Database, topics: readonly string[]): Promise<Range[]> =>
  database.query<Range>(selectRanges(topics))

const allPartitions = (topics: readonly string[], partitions: number): TopicPartition[] =>
  topics.flatMap((topic) => Array.from({ length: partitions }, (_, partition) => ({ topic, partition })))
