import type { Producer, TopicMessages } from 'kafkajs'
import type { PlacedRecord } from '../shared/append-queue.js'
import type { Topics } from '../topics.js'
import { createKafka, type KafkaAddress } from './client.js'
import { packHeaders } from './headers.js'
import { reconnecting } from './reconnecting.js'

export interface KafkaProducer {
  connect(): Promise<void>
  /** One attempt, acknowledged by all replicas. */
  send(records: readonly PlacedRecord[]): Promise<void>
  close(): Promise<void>
}

/** How long the brokers and we wait for one request; several attempts fit into the 20 s of an append. */
const requestTimeoutMs = 5000

/**
 * A producer without retries of its own: repeating belongs to the append queue, which keeps the order. (kafkajs,
 * repeating after a leader moved, also takes a record for acknowledged that it never sent.)
 * @param topics headers of `frames` are packed into one, for kafkajs takes 3 us for each
 */
export function createProducer(address: KafkaAddress, topics: Topics): KafkaProducer {
  const packed = new Set(topics.frames)
  const kafka = createKafka(address, { retry: { retries: 0 }, requestTimeout: requestTimeoutMs })
  const connection = reconnecting(
    kafka.producer({
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
      retry: { retries: 0 },
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    }),
  )
  return {
    connect: () => connection.use(async () => {}),
    send: (records) => connection.use((producer) => send(producer, records, packed)),
    close: connection.close,
  }
}

async function send(producer: Producer, records: readonly PlacedRecord[], packed: ReadonlySet<string>): Promise<void> {
  const batches = new Map<string, Required<Pick<TopicMessages, 'topic' | 'messages'>>>()
  const expected = new Set<string>()
  for (const { topic, partition, key, value, headers } of records) {
    let batch = batches.get(topic)
    if (!batch) {
      batch = { topic, messages: [] }
      batches.set(topic, batch)
    }
    batch.messages.push({ key, value, headers: packed.has(topic) ? packHeaders(headers) : headers, partition })
    expected.add(`${topic}/${partition}`)
  }
  const acknowledged = await producer.sendBatch({
    acks: -1,
    timeout: requestTimeoutMs - 1000,
    topicMessages: [...batches.values()],
  })
  for (const { topicName, partition } of acknowledged) expected.delete(`${topicName}/${partition}`)
  if (expected.size > 0) throw new Error(`not acknowledged: ${[...expected].join(', ')}`)
}
