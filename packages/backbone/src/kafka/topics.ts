import { setTimeout as sleep } from 'node:timers/promises'
import { UnavailableError } from '@busbar/store'
import type { Admin, ConfigResourceTypes, ITopicConfig } from 'kafkajs'
import { pino } from 'pino'
import type { Topics } from '../topics.js'
import { topicNames } from '../topics.js'
import { createKafka, type KafkaAddress } from './client.js'

export interface TopicSettings extends Pick<KafkaAddress, 'brokers' | 'access'> {
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
export async function createTopics({ prefix, partitions, replication, ...address }: TopicSettings): Promise<void> {
  const topics = topicNames(prefix)
  await asAdmin(address, async (admin) => {
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
  })
}

/** @throws UnavailableError when Kafka cannot be reached, or does not let us in */
async function asAdmin<T>(
  address: Pick<KafkaAddress, 'brokers' | 'access'>,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const options = { retry: { retries: 3 }, requestTimeout: 15_000 }
  const admin = createKafka({ ...address, log: pino({ level: 'silent' }) }, options).admin()
  try {
    await admin.connect()
    return await work(admin)
  } catch (cause) {
    throw toUnavailable(cause)
  } finally {
    await admin.disconnect()
  }
}

/** So many copies that one may be lost while another is away. */
export const fewestReplicas = 3
const fewestInSync = 2
/** kafkajs exports its names for it where ES modules do not find them. */
const topicResource: ConfigResourceTypes.TOPIC = 2

/**
 * Settings of our topics under which an acknowledged record may be lost with one broker, or a station's large message never
 * be taken: the gateway would try it over and over, and close all its stations each time.
 * @throws UnavailableError when Kafka cannot be reached, or does not tell us
 */
export function findTopicWeaknesses(
  address: Pick<KafkaAddress, 'brokers' | 'access'>,
  prefix: string,
): Promise<string[]> {
  const names = topicNames(prefix).all
  return asAdmin(address, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: names })
    const thin = topics.filter(({ partitions }) => partitions.some(({ replicas }) => replicas.length < fewestReplicas))
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({
        type: topicResource,
        name,
        configNames: ['min.insync.replicas', 'unclean.leader.election.enable', 'max.message.bytes'],
      })),
    })
    const settings = resources.map(({ resourceName, configEntries }) => ({
      name: resourceName,
      values: new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    }))
    const hasty = settings.filter(({ values }) => Number(values.get('min.insync.replicas')) < fewestInSync)
    const unclean = settings.filter(({ values }) => values.get('unclean.leader.election.enable') === 'true')
    const narrow = settings.filter(({ values }) => Number(values.get('max.message.bytes')) < maxMessageBytes)
    const said = (found: readonly { name: string }[], fault: string) =>
      found.length === 0 ? [] : [`${fault} (${found.map(({ name }) => name).join(', ')})`]
    return [
      ...said(thin, `topics have fewer than ${fewestReplicas} replicas`),
      ...said(hasty, `min.insync.replicas is below ${fewestInSync}`),
      ...said(unclean, 'unclean.leader.election.enable is true'),
      ...said(narrow, `max.message.bytes is below ${maxMessageBytes}`),
    ]
  })
}

function toTopicConfig(topic: string, partitions: number, replication: number): ITopicConfig {
  return {
    topic,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: [
      { name: 'max.message.bytes', value: String(maxMessageBytes) },
      // With three replicas one may be away without a record being lost or refused.
      { name: 'min.insync.replicas', value: String(replication >= fewestReplicas ? fewestInSync : 1) },
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
