import type { Database } from '@busbar/store'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { countUnreadEmbeddedRecords, openEmbeddedEventLog } from './embedded/event-log.js'
import { createLocalJobWakes } from './embedded/job-wakes.js'
import { createLocalOwnership } from './embedded/ownership.js'
import { LocalStationChannels } from './embedded/station-channels.js'
import type { KafkaAccess } from './kafka/client.js'
import { openKafkaEventLog } from './kafka/event-log.js'
import type { Backbone } from './ports/backbone.js'
import { openRequests, openSubscriber, type RedisAddress, showRedis } from './redis/connection.js'
import { createBullJobWakes } from './redis/job-wakes.js'
import { createRedisOwnership } from './redis/ownership.js'
import { RedisStationChannels } from './redis/station-channels.js'
import { backboneMetrics } from './shared/metrics.js'
import { createOutbox } from './shared/outbox.js'
import { topicNames } from './topics.js'

export interface EmbeddedBackboneOptions {
  database: Database
  partitions: number
  topicPrefix: string
  log: Logger
  metrics: Registry
}

export interface DistributedBackboneOptions extends EmbeddedBackboneOptions {
  /** host:port of each broker. */
  brokers: string[]
  /** How they know us; without it, as anybody. */
  access?: KafkaAccess
  redis: RedisAddress
}

/**
 * All four ports on Postgres and within this process.
 * @throws Error when another process works on this database in the same way; UnavailableError when Postgres is away
 */
export async function openEmbeddedBackbone(options: EmbeddedBackboneOptions): Promise<Backbone> {
  const { database, log } = options
  const topics = topicNames(options.topicPrefix)
  const metrics = backboneMetrics(options.metrics)
  metrics.partitions.set(options.partitions)
  const eventLog = await openEmbeddedEventLog({ ...options, topics, metrics })
  const channels = new LocalStationChannels()
  const jobs = createLocalJobWakes({ database, log, metrics })
  const outbox = createOutbox({ database, topics, append: eventLog.append, log, metrics })
  return {
    log: eventLog,
    channels,
    ownership: createLocalOwnership(channels, database),
    jobs,
    outbox,
    topics,
    close: async () => {
      await jobs.close()
      await outbox.close()
      await eventLog.close()
    },
  }
}

/**
 * All four ports on Kafka, Redis and Postgres. Redis may be away at the start.
 * @throws Error when topics are missing or have another number of partitions, or when this database was embedded before
 *   and its log holds records nobody has applied; UnavailableError when Kafka or Postgres is away
 */
export async function openDistributedBackbone(options: DistributedBackboneOptions): Promise<Backbone> {
  const { database, redis, log } = options
  const topics = topicNames(options.topicPrefix)
  const metrics = backboneMetrics(options.metrics)
  metrics.partitions.set(options.partitions)
  const prefix = `${options.topicPrefix}:`
  const unread = await countUnreadEmbeddedRecords(database)
  if (unread > 0) {
    throw new Error(`the embedded log holds ${unread} unread records: empty it with "busbar up --drain" before Kafka`)
  }
  const eventLog = await openKafkaEventLog({ ...options, topics, metrics })
  const requests = openRequests(redis, log)
  showRedis(requests, options.metrics)
  const subscriber = openSubscriber(redis, log)
  const channels = new RedisStationChannels({ requests, subscriber, prefix, log, metrics })
  // Without waiting: ioredis goes on trying.
  await Promise.allSettled([requests.connect(), subscriber.connect()])
  const jobs = createBullJobWakes({ redis, prefix: `${prefix}jobs`, database, log, metrics })
  const outbox = createOutbox({ database, topics, append: eventLog.append, log, metrics })
  return {
    log: eventLog,
    channels,
    ownership: createRedisOwnership(requests, prefix, metrics),
    jobs,
    outbox,
    topics,
    close: async () => {
      await jobs.close()
      await outbox.close()
      await eventLog.close()
      requests.disconnect()
      subscriber.disconnect()
    },
  }
}
