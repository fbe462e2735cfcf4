import { randomBytes } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { Kafka, logLevel } from 'kafkajs'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe } from 'vitest'
import { type Backbone, createTopics, openDistributedBackbone, openEmbeddedBackbone } from '../index.js'

/** One of the two ways to have a backbone; the contract tests run on each. */
export interface Side {
  name: 'embedded' | 'distributed'
  open(options?: { partitions?: number }): Promise<Harness>
}

export interface Harness extends TestDatabase {
  backbone: Backbone
  partitions: number
  metrics: Registry
  /** Another process of the same system. Only the distributed side has one. */
  another(): Promise<Backbone>
  /** As a foreign writer would: without our partitioner. */
  appendForeign(record: { topic: string; partition: number; key: string; value: string }): Promise<void>
  /** As retention would. */
  loseRecordsBefore(topic: string, partition: number, offset: number): Promise<void>
  close(): Promise<void>
}

const kafkaBrokers = process.env.TEST_KAFKA_BROKERS
const redisUrl = process.env.TEST_REDIS_URL
if (process.env.REQUIRE_SERVICES === '1' && (!kafkaBrokers || !redisUrl)) {
  throw new Error('REQUIRE_SERVICES=1, but TEST_KAFKA_BROKERS and TEST_REDIS_URL are not set')
}

export const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })

const embedded: Side = {
  name: 'embedded',
  open: async ({ partitions = 6 } = {}) => {
    const db = await createTestDatabase()
    const { database } = db
    const metrics = new Registry()
    const backbone = await openEmbeddedBackbone({ database, partitions, topicPrefix: 'test', log, metrics })
    return {
      ...db,
      backbone,
      partitions,
      metrics,
      another: () => openEmbeddedBackbone({ database, partitions, topicPrefix: 'test', log, metrics: new Registry() }),
      appendForeign: async ({ topic, partition, key, value }) => {
        await database.commit([
          {
            text: `INSERT INTO log_record (topic, partition, "offset", key, value, headers)
              SELECT topic, partition, next, $3, $4, '{}' FROM log_partition WHERE topic = $1 AND partition = $2`,
            values: [topic, partition, key, Buffer.from(value)],
          },
          {
            text: 'UPDATE log_partition SET next = next + 1 WHERE topic = $1 AND partition = $2',
            values: [topic, partition],
          },
        ])
      },
      loseRecordsBefore: async (topic, partition, offset) => {
        await database.query({
          text: 'DELETE FROM log_record WHERE topic = $1 AND partition = $2 AND "offset" < $3',
          values: [topic, partition, offset],
        })
      },
      close: async () => {
        await backbone.close()
        await db.drop()
      },
    }
  },
}

const distributed = (brokers: string[], redis: string): Side => ({
  name: 'distributed',
  open: async ({ partitions = 6 } = {}) => {
    const prefix = `test-${randomBytes(4).toString('hex')}`
    await createTopics({ brokers, prefix, partitions, replication: 1 })
    const db = await createTestDatabase()
    const { database } = db
    const metrics = new Registry()
    const open = (registry: Registry) =>
      openDistributedBackbone({
        database,
        brokers,
        redis: { url: redis },
        topicPrefix: prefix,
        partitions,
        log,
        metrics: registry,
      })
    const backbone = await open(metrics)
    const others: Backbone[] = []
    const kafka = plainKafka(brokers)
    const admin = kafka.admin()
    const producer = kafka.producer({
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    })
    await Promise.all([admin.connect(), producer.connect()])
    return {
      ...db,
      backbone,
      partitions,
      metrics,
      another: async () => {
        const other = await open(new Registry())
        others.push(other)
        return other
      },
      appendForeign: async ({ topic, ...message }) => {
        await producer.send({ topic, messages: [message] })
      },
      loseRecordsBefore: async (topic, partition, offset) => {
        // kafkajs needs the topic's metadata for it, and does not fetch them by itself.
        await admin.fetchTopicOffsets(topic)
        await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
      },
      close: async () => {
        await Promise.all([backbone, ...others].map((each) => each.close()))
        await admin.deleteTopics({ topics: backbone.topics.all })
        await Promise.all([admin.disconnect(), producer.disconnect()])
        await db.drop()
      },
    }
  },
})

export const plainKafka = (brokers: string[]): Kafka =>
  new Kafka({ clientId: 'test', brokers, logLevel: logLevel.NOTHING, retry: { retries: 5 } })

/** The real services, where they are named. */
export const services = kafkaBrokers && redisUrl ? { brokers: kafkaBrokers.split(','), redisUrl } : null

const distributedSide = distributed(services?.brokers ?? [], services?.redisUrl ?? '')

export const sides: Side[] = services ? [embedded, distributedSide] : [embedded]

/** Tests that need several processes, Kafka or Redis; skipped where these services are not named. */
export function describeDistributed(name: string, body: (side: Side) => void): void {
  describe.skipIf(!services)(name, () => body(distributedSide))
}

/** @throws Error when the condition does not come true in time */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = 'the condition',
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what} does not come`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Sum of a counter over its labels. */
export function countOf(metrics: Registry, name: string): Promise<number> {
  return metrics
    .getMetricsAsJSON()
    .then((all) => all.find((each) => each.name === name)?.values.reduce((sum, each) => sum + each.value, 0) ?? 0)
}
