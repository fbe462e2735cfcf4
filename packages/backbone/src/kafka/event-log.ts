import { randomUUID } from 'node:crypto'
import type { Database } from '@busbar/store'
import type { Admin } from 'kafkajs'
import type { ConsumeOptions, EventLog, TailOptions } from '../ports/event-log.js'
import { type AppendLimits, AppendQueue } from '../shared/append-queue.js'
import { type Delivery, deliver } from '../shared/deliver.js'
import { type BackboneMetrics, beginCounts } from '../shared/metrics.js'
import {
  advanceOffsets,
  type Consumer,
  findSetBack,
  type Positions,
  positionKey,
  readOffsets,
  type TopicPartition,
} from '../shared/offsets.js'
import { type Range, TailProgress } from '../shared/tail-progress.js'
import type { Topics } from '../topics.js'
import { createKafka, type KafkaAddress } from './client.js'
import { readerRetry } from './group-member.js'
import { createProducer } from './producer.js'
import { KafkaReader, type Place } from './reader.js'
import { type Reconnecting, reconnecting } from './reconnecting.js'
import { BrokerSockets } from './sockets.js'
import { checkTopics, toUnavailable } from './topics.js'

export interface KafkaEventLogOptions extends KafkaAddress {
  database: Database
  topics: Topics
  partitions: number
  metrics: BackboneMetrics
  limits?: Partial<AppendLimits>
}

const requestTimeoutMs = 5000
const watchEveryMs = 5000

/**
 * Opens the event log on Kafka.
 * @throws Error when a topic is missing or has another number of partitions, UnavailableError when Kafka is away
 */
export async function openKafkaEventLog(address: KafkaEventLogOptions): Promise<EventLog> {
  const options = { sockets: new BrokerSockets(), ...address }
  const { topics, partitions, metrics, log } = options
  const admin = reconnecting(createKafka(options, { retry: { retries: 1 }, requestTimeout: requestTimeoutMs }).admin())
  try {
    await admin.use((client) => checkTopics(client, topics, partitions))
    const { clusterId } = await admin.use((client) => client.describeCluster())
    const producer = createProducer(options, topics)
    // The first record need not wait for a connection.
    await producer.connect()
    const limits = options.limits ?? {}
    const queue = new AppendQueue({ topics, partitions, send: producer.send, log, metrics, limits })
    return {
      id: clusterId,
      get available() {
        return queue.available
      },
      append: (record, appendOptions) => queue.append(record, appendOptions),
      consume: (consume) => startConsumer(consume, clusterId, admin, queue, options),
      tail: (tail) => startTail(tail, admin, options),
      close: async () => {
        await queue.close()
        await producer.close()
        await admin.close()
      },
    }
  } catch (cause) {
    await admin.close()
    throw toUnavailable(cause)
  }
}

async function startConsumer(
  { service, topics, gathered, onBatch, onAssigned, onRevoked }: ConsumeOptions,
  logId: string,
  admin: Reconnecting<Admin>,
  queue: AppendQueue,
  options: KafkaEventLogOptions,
): Promise<{ stop(): Promise<void> }> {
  const { database, metrics, partitions } = options
  const consumer = { log: logId, service }
  beginCounts(metrics, service)
  const log = options.log.child({ consumer: service })
  const delivery: Delivery = {
    consumer,
    partitions,
    database,
    append: (record) => queue.append(record),
    onBatch,
    log,
    metrics,
  }

  const reader = new KafkaReader({
    kafka: createKafka(options, { retry: readerRetry, requestTimeout: requestTimeoutMs }),
    // The topics of another prefix are another system.
    groupId: `${options.topics.events.replace(/\.events$/, '')}.${service}`,
    topics,
    partitions,
    gathered,
    place: (wanted) => placeConsumer(wanted, consumer, admin, options),
    deliver: (records, positions) => deliver(records, positions, delivery),
    onAssigned,
    onRevoked,
    onConflict: () => metrics.conflicts.inc({ service }),
    onPause: () => metrics.pauses.inc({ service }),
    log,
  })
  const watch = setInterval(() => void Promise.all([measureLag(), readLostAgain()]), watchEveryMs)
  const measureLag = async () => {
    const { positions, partitions: assigned } = reader.assignment
    // All topics of a service have the same partitions here.
    metrics.partitionsRead.set({ service }, assigned.length / topics.length)
    try {
      const ranges = await fetchRanges(admin, assigned)
      let records = 0n
      for (const [key, next] of positions) records += (ranges.get(key)?.high ?? next) - next
      metrics.laneLag.set({ service }, Number(records))
    } catch (cause) {
      log.warn({ err: cause }, 'the lag could not be measured')
    }
  }
  // A partition on which nothing new comes would never find out.
  const readLostAgain = async () => {
    const { assignment } = reader
    try {
      const lost = await findSetBack(database, consumer, new Map(assignment.positions), assignment.partitions)
      if (lost.length === 0 || reader.assignment !== assignment) return
      log.error({ partitions: lost }, 'Postgres has lost what was committed: it is read again')
      reader.placeAgain(lost)
    } catch (cause) {
      log.warn({ err: cause }, 'the offsets could not be looked at')
    }
  }
  try {
    await reader.start()
    void measureLag()
  } catch (cause) {
    clearInterval(watch)
    await reader.stop()
    throw toUnavailable(cause)
  }
  return {
    stop: async () => {
      clearInterval(watch)
      metrics.partitionsRead.set({ service }, 0)
      await reader.stop()
    },
  }
}

/** Where a consumer stands by Postgres, checked against what the log still has. */
async function placeConsumer(
  wanted: readonly TopicPartition[],
  consumer: Consumer,
  admin: Reconnecting<Admin>,
  { database, log, metrics }: KafkaEventLogOptions,
): Promise<Map<string, Place>> {
  const ranges = await fetchRanges(admin, wanted)
  const positions = await readOffsets(
    database,
    consumer,
    wanted.map((each) => ({ ...each, earliest: rangeOf(ranges, each).low })),
  )
  const isBeyond = (each: TopicPartition) => nextOf(positions, each) > rangeOf(ranges, each).high
  const suspects = wanted.filter(isBeyond)
  // The one we take over from may have applied records that were appended after the ranges were fetched.
  for (const [key, range] of await fetchRanges(admin, suspects)) ranges.set(key, range)
  for (const each of suspects.filter(isBeyond)) {
    const next = nextOf(positions, each)
    const { low, high } = rangeOf(ranges, each)
    // The topic was made anew, or lost its end: reading too much is harmless, reading too little is not.
    log.error({ ...each, next: `${next}`, low: `${low}`, high: `${high}` }, 'the log ends before our offset: read anew')
    metrics.offsetJumps.inc({ service: consumer.service })
    await database.commit([advanceOffsets(consumer, [{ ...each, from: next, to: low }])])
    positions.set(positionKey(each), low)
  }
  const places = new Map<string, Place>()
  for (const each of wanted) {
    const next = nextOf(positions, each)
    const { low } = rangeOf(ranges, each)
    places.set(positionKey(each), { next, seek: laterOf(next, low) })
  }
  return places
}

async function startTail(
  wanted: TailOptions,
  admin: Reconnecting<Admin>,
  options: KafkaEventLogOptions,
): Promise<{ stop(): Promise<void> }> {
  const groupId = `${options.topics.canary}.tail-${randomUUID()}`
  // The group has one member: what it has read it need not share.
  const progress = new TailProgress(wanted)
  const reader = new KafkaReader({
    kafka: createKafka(options, { retry: readerRetry, requestTimeout: requestTimeoutMs }),
    groupId,
    topics: wanted.topics,
    partitions: options.partitions,
    gathered: wanted.topics,
    place: async (partitions) => {
      const ranges = await fetchRanges(admin, partitions)
      progress.begin(partitions.map((each) => rangeOf(ranges, each)))
      return new Map(
        partitions.map((each) => {
          const next = nextOf(progress.read, each)
          return [positionKey(each), { next, seek: laterOf(next, rangeOf(ranges, each).low) }]
        }),
      )
    },
    deliver: async (records, positions) => {
      progress.give(records)
      for (const record of records) positions.set(positionKey(record), nextOf(progress.read, record))
    },
    log: options.log.child({ consumer: 'tail' }),
  })
  try {
    await reader.start()
  } catch (cause) {
    await reader.stop()
    throw toUnavailable(cause)
  }
  await progress.caughtUp()
  return {
    stop: async () => {
      await reader.stop()
      await admin.use((client) => client.deleteGroups([groupId]))
    },
  }
}

async function fetchRanges(admin: Reconnecting<Admin>, wanted: readonly TopicPartition[]): Promise<Map<string, Range>> {
  const ranges = new Map<string, Range>()
  const fetchTopic = async (topic: string) => {
    for (const { partition, low, high } of await admin.use((client) => client.fetchTopicOffsets(topic))) {
      ranges.set(positionKey({ topic, partition }), { topic, partition, low: BigInt(low), high: BigInt(high) })
    }
  }
  await Promise.all([...new Set(wanted.map((each) => each.topic))].map(fetchTopic))
  return ranges
}

function nextOf(positions: Positions, each: TopicPartition): bigint {
  const next = positions.get(positionKey(each))
  if (next === undefined) throw new Error(`no offset for ${positionKey(each)}`)
  return next
}

function laterOf(a: bigint, b: bigint): bigint {
  if (a > b) return a
  return b
}

function rangeOf(ranges: Map<string, Range>, each: TopicPartition): Range {
  const range = ranges.get(positionKey(each))
  if (!range) throw new Error(`Kafka knows no ${positionKey(each)}`)
  return range
}
