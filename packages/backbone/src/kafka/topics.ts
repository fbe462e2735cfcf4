import { setTimeout as sleep } from 'node:timers/promises'
import { UnavailableError } from '@busbar/store'
import type { Admin, ITopicConfig } from 'kafkajs'
import { pino } from 'pino'
import type { Topics } from '../topics.js'
import { topicNames } from '../topics.js'
import { createKafka } from './client.js'

export interface TopicSettings {
  brokers: string[]
  prefix: string
  partitions: number
  replication: number
}

const creationTimeoutMs = 15_000

/** A record of `maxRecordBytes` with its envelope. */
const maxMessageBytes = 5.5 * 1024 * 1024

/**
 * Makes the topics that do not exist yet, for `busbar migrate`.
 * @throws Error when a topic has another number of partitions: keys would move to other partitions
 * @throws UnavailableError when Kafka cannot be reached
 */
export async function createTopics({ brokers, prefix, partitions, replication }: TopicSettings): Promise<void> {
  const topics = topicNames(prefix)
  const kafka = createKafka(
    { brokers, log: pino({ level: 'silent' }) },
    { retry: { retries: 3 }, requestTimeout: 15_000 },
  )
  const admin = kafka.admin()
  try {
    await admin.connect()
    const existing = new Set(await admin.listTopics())
    const missing = topics.all.filter((topic) => !existing.has(topic))
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: false,
        topics: missing.map((topic) => toTopicConfig(topic, partitions, replication)),
      })
      await waitForTopics(admin, missing)
    }
    await checkTopics(admin, topics, partitions)
  } catch (cause) {
    throw toUnavailable(cause)
  } finally {
    await admin.disconnect()
  }
}

function toTopicConfig(topic: string, partitions: number, replication: number): ITopicConfig {
  return {
    topic,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: [
      { name: 'max.message.bytes', value: String(maxMessageBytes) },
      // With three replicas one may be away without a record being lost or refused.
      { name: 'min.insync.replicas', value: replication >= 3 ? '2' : '1' },
    ],
  }
}

/** Brokers hear of new topics a little after the controller made them (4.1), and kafkajs's own waiting fails then. */
async function waitForTopics(admin: Admin, names: string[]): Promise<void> {
  const deadline = performance.now() + creationTimeoutMs
  for (;;) {
    try {
      // Asks each leader, so that the first append finds it.
      for (const name of names) await admin.fetchTopicOffsets(name)
      return
    } catch (cause) {
      if (performance.now() > deadline) throw cause
    }
    await sleep(50)
  }
}

/** @throws Error naming every topic that is missing or has another number of partitions */
export async function checkTopics(admin: Admin, topics: Topics, partitions: number): Promise<void> {
  const existing = new Set(await admin.listTopics())
  const missing = topics.all.filter((topic) => !existing.has(topic))
  if (missing.length > 0) {
    throw new Error(`Kafka has no topics ${missing.join(', ')}: run "busbar migrate" first`)
  }
  const { topics: found } = await admin.fetchTopicMetadata({ topics: topics.all })
  const differing = found.filter((topic) => topic.partitions.length !== partitions)
  if (differing.length === 0) return
  const list = differing.map((topic) => `${topic.name} has ${topic.partitions.length}`).join(', ')
  throw new Error(
    `every topic must have ${partitions} partitions (BUSBAR_PARTITIONS), or stations lose their order: ${list}`,
  )
}

/** kafkajs names all its errors alike; any other error is ours. */
export function toUnavailable(cause: unknown): unknown {
  if (cause instanceof Error && cause.name.startsWith('KafkaJS')) {
    return new UnavailableError(`Kafka: ${cause.message}`, { cause })
  }
  return cause
}
