import { createServer } from 'node:http'
import net from 'node:net'
import { parseArgs } from 'node:util'
import Redis from 'ioredis'
import { type IHeaders, Kafka, logLevel, type Message, Partitioners } from 'kafkajs'
import pg from 'pg'
import { WebSocketServer } from 'ws'

/**
 * What Busbar is measured against, as a process of its own:
 * - echo: a bare `ws` server that sends the text back;
 * - thin-log: the call goes to Kafka and is answered once acknowledged;
 * - thin-commit: Kafka, a worker, one Postgres transaction for all that is in hand, Redis, the answer.
 * No authentication, no validation, no rules. Prints `ready <port>`.
 */
const { values: given } = parseArgs({
  options: {
    role: { type: 'string', default: 'echo' },
    topic: { type: 'string', default: '' },
    database: { type: 'string', default: '' },
    brokers: { type: 'string', default: '' },
    redis: { type: 'string', default: '' },
    lingerMs: { type: 'string', default: '0' },
  },
})
const channel = `thin:${given.topic}`

const roles: Record<string, () => Promise<number>> = {
  echo: () => serve((text, send) => send(text)),
  'thin-log': async () => {
    const append = await openProducer()
    return serve((text, send, id) => {
      const [, messageId] = JSON.parse(text) as [number, string]
      void append({ key: id, value: text }).then(() => send(JSON.stringify([3, messageId, {}])))
    })
  },
  'thin-commit': async () => {
    const append = await openProducer()
    const waiting = new Map<string, (answer: string) => void>()
    const subscriber = new Redis(given.redis)
    await subscriber.subscribe(channel)
    subscriber.on('message', (_channel, text) => {
      for (const [id, answer] of JSON.parse(text) as [string, string][]) waiting.get(id)?.(answer)
    })
    return serve((text, send, id) => {
      JSON.parse(text)
      waiting.set(id, send)
      void append({ key: id, value: text })
    })
  },
  'thin-worker': runWorker,
}

console.log(`ready ${await roles[given.role]?.()}`)

function serve(onText: (text: string, send: (text: string) => void, id: string) => void): Promise<number> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false })
  sockets.on('connection', (socket, request) => {
    const id = request.url?.split('/').at(-1) ?? ''
    const send = (text: string) => socket.send(text)
    socket.on('message', (data: Buffer) => onText(data.toString('utf8'), send, id))
    socket.on('error', () => {})
  })
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port)),
  )
}

function openKafka(): Kafka {
  return new Kafka({
    clientId: 'thin',
    brokers: given.brokers.split(','),
    logLevel: logLevel.NOTHING,
    // kafkajs leaves Nagle's algorithm on.
    socketFactory: ({ host, port, onConnect }) => net.connect({ host, port, noDelay: true }, onConnect),
  })
}

/** All that gathered while the last request was in flight goes out as one. */
async function openProducer(): Promise<(message: Message) => Promise<void>> {
  const producer = openKafka().producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  let gathered: { message: Message; done: () => void }[] = []
  let sending = false
  const lingerMs = Number(given.lingerMs)
  const flush = async () => {
    if (sending || gathered.length === 0) return
    sending = true
    const batch = gathered
    gathered = []
    await producer.send({ topic: given.topic, acks: -1, messages: batch.map(({ message }) => message) })
    sending = false
    for (const { done } of batch) done()
    schedule()
  }
  const schedule = () => (lingerMs > 0 ? setTimeout(flush, lingerMs) : setImmediate(flush))
  return (message) =>
    new Promise((done) => {
      gathered.push({ message, done })
      if (gathered.length === 1) schedule()
    })
}

interface InHand {
  rows: { id: string; messageId: string; headers: IHeaders | undefined }[]
  done: () => void
}

async function runWorker(): Promise<number> {
  const pool = new pg.Pool({ connectionString: given.database, max: 4 })
  const publisher = new Redis(given.redis)
  const consumer = openKafka().consumer({ groupId: `thin-${given.topic}`, maxWaitTimeInMs: 200 })
  await consumer.connect()
  await consumer.subscribe({ topic: given.topic })
  let inHand: InHand[] = []
  let committing = false
  const commit = async () => {
    if (committing || inHand.length === 0) return
    committing = true
    const batches = inHand
    inHand = []
    const rows = batches.flatMap((batch) => batch.rows)
    const now = new Date()
    const { rows: inserted } = await pool.query<{ id: string }>({
      name: 'thin',
      text: `INSERT INTO thin_transaction (station, message_id, started_at)
        SELECT station, message, $3 FROM unnest($1::text[], $2::text[]) AS given (station, message)
        ON CONFLICT (station, message_id) DO UPDATE SET station = excluded.station RETURNING id`,
      values: [rows.map(({ id }) => id), rows.map(({ messageId }) => messageId), now],
    })
    const answers = rows.map(({ id, messageId }, index) => [
      id,
      JSON.stringify([3, messageId, { transactionId: Number(inserted[index]?.id), idTagInfo: { status: 'Accepted' } }]),
    ])
    void publisher.publish(channel, JSON.stringify(answers))
    committing = false
    for (const { done } of batches) done()
    setImmediate(commit)
  }
  const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()))
  await consumer.run({
    // kafkajs would else commit after the batch of every partition, and wait for it: 12 requests a round, 70 ms.
    autoCommit: false,
    partitionsConsumedConcurrently: 24,
    eachBatch: ({ batch }) =>
      new Promise((done) => {
        const rows = batch.messages.map(({ key, value, headers }) => ({
          id: String(key),
          messageId: (JSON.parse(String(value)) as [number, string])[1],
          headers,
        }))
        inHand.push({ rows, done })
        setImmediate(commit)
      }),
  })
  await joined
  return 0
}
