import { randomUUID } from 'node:crypto'
import { type IHeaders, Kafka, logLevel } from 'kafkajs'
import { readLogEnds } from './log-ends.js'
import { type System, until } from './system.js'

export interface TopicRecord {
  key: string
  value: Buffer
  headers: Record<string, unknown>
}

/** All that a topic holds. @param topic with its prefix */
export async function readTopic(system: System, topic: string): Promise<TopicRecord[]> {
  const { rows } = await system.database.query<TopicRecord>(
    'SELECT key, value, headers FROM log_record WHERE topic = $1',
    [topic],
  )
  if (rows.length > 0) return rows
  const ends = [...(await readLogEnds(system))].filter(([place]) => place.startsWith(`${topic}/`))
  const expected = ends.reduce((sum, [, end]) => sum + Number(end), 0)
  const { brokers } = system
  const kafka = new Kafka({ clientId: 'topics', brokers, logLevel: logLevel.NOTHING })
  // It leaves only when its last fetch has come back, and at the end of a topic that waits for more.
  const consumer = kafka.consumer({ groupId: `topics-${randomUUID()}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  try {
    const records: TopicRecord[] = []
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message: { key, value, headers } }) => {
        records.push({ key: String(key), value: value ?? Buffer.alloc(0), headers: toTexts(headers) })
      },
    })
    await until(`all of ${topic} is read`, () => records.length >= expected)
    return records
  } finally {
    await consumer.disconnect()
  }
}

/** Ours pack them all into one. */
function toTexts(sent: IHeaders = {}): Record<string, unknown> {
  const texts = Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, String(value)]))
  return texts.busbar === undefined ? texts : JSON.parse(texts.busbar)
}

export interface PublicEvent {
  id: string
  type: string
  source: string
  subject: string
}

/** All that was ever published, repeats included. */
export async function readEvents(system: System): Promise<PublicEvent[]> {
  const records = await readTopic(system, `${system.topicPrefix}.events`)
  return records.map(({ value }) => JSON.parse(value.toString('utf8')))
}
