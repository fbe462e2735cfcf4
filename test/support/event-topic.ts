import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { readLogEnds } from './log-ends.js'
import { type System, services, until } from './system.js'

export interface PublicEvent {
  id: string
  type: string
  source: string
  subject: string
}

/** All that was ever published, repeats included. */
export async function readEvents(system: System): Promise<PublicEvent[]> {
  const topic = `${system.topicPrefix}.events`
  const { rows } = await system.database.query<{ value: Buffer }>('SELECT value FROM log_record WHERE topic = $1', [
    topic,
  ])
  if (rows.length > 0) return rows.map(({ value }) => JSON.parse(value.toString('utf8')))
  const ends = [...(await readLogEnds(system))].filter(([place]) => place.startsWith(`${topic}/`))
  const expected = ends.reduce((sum, [, end]) => sum + Number(end), 0)
  const brokers = (services.brokers ?? '').split(',')
  const kafka = new Kafka({ clientId: 'events', brokers, logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: `events-${randomUUID()}` })
  await consumer.connect()
  try {
    const events: PublicEvent[] = []
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({ eachMessage: async ({ message }) => void events.push(JSON.parse(String(message.value))) })
    await until('all events are read', () => events.length >= expected)
    return events
  } finally {
    await consumer.disconnect()
  }
}
