import { Kafka, logLevel } from 'kafkajs'
import { type System, until } from './system.js'

/** Where each partition of the event log ends, by `topic/partition`. */
export async function readLogEnds(system: System): Promise<Map<string, bigint>> {
  const { rows } = await system.database.query<{ topic: string; partition: number; next: string }>(
    'SELECT topic, partition, next::text FROM log_partition',
  )
  if (rows.length > 0) return new Map(rows.map(({ topic, partition, next }) => [`${topic}/${partition}`, BigInt(next)]))
  const { brokers } = system
  const admin = new Kafka({ clientId: 'log-ends', brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${system.topicPrefix}.`))
    const ends = new Map<string, bigint>()
    // One after the other: kafkajs asks for the leaders of a topic while it still learns of the next.
    for (const topic of topics) {
      for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
        ends.set(`${topic}/${partition}`, BigInt(high))
      }
    }
    return ends
  } finally {
    await admin.disconnect()
  }
}

/** Every service has read and committed all that its topics hold, and sent on all that it wrote. */
export async function untilDrained(system: System, timeoutMs = 60_000): Promise<void> {
  const isDrained = async () => {
    // One snapshot, and the ends after it: what was in no outbox then is in the log by now.
    const { rows } = await system.database.query<{ place: string; next: string; unsent: string }>(
      `SELECT topic || '/' || partition AS place, next::text, (SELECT count(*) FROM outbox)::text AS unsent
       FROM consumer_offset`,
    )
    const ends = await readLogEnds(system)
    return rows.every(({ place, next, unsent }) => unsent === '0' && BigInt(next) >= (ends.get(place) ?? 0n))
  }
  await until('the services have read the log to its end', isDrained, timeoutMs)
}
