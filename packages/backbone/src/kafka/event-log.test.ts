import type { ConfigResourceTypes } from 'kafkajs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { describeDistributed, type Harness, plainKafka, services, log as silent, until } from '../contract/sides.js'
import { createTopics, findTopicWeaknesses, type LogRecord, openDistributedBackbone } from '../index.js'

vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 })

describeDistributed('the event log on Kafka', (side) => {
  let harness: Harness
  beforeEach(async () => {
    harness = await side.open({ partitions: 3 })
  })
  afterEach(() => harness.close())

  const brokers = services?.brokers ?? []
  const prefix = () => harness.backbone.topics.events.replace(/\.events$/, '')
  const open = (topicPrefix: string, partitions: number) =>
    openDistributedBackbone({
      database: harness.database,
      brokers,
      redis: { url: services?.redisUrl ?? '' },
      topicPrefix,
      partitions,
      log: silent,
      metrics: harness.metrics,
    })

  test('topics are made once, and another number of partitions is refused', async () => {
    await createTopics({ brokers, prefix: prefix(), partitions: 3, replication: 1 })
    const other = createTopics({ brokers, prefix: prefix(), partitions: 4, replication: 1 })
    await expect(other).rejects.toThrow('every topic must have 4 partitions')
    await expect(open(prefix(), 4)).rejects.toThrow('BUSBAR_PARTITIONS')
  })

  test('missing topics refuse the start with what to do', async () => {
    await expect(open('nobody-made-these', 3)).rejects.toThrow('run "busbar migrate" first')
  })

  test('a topic that does not take the largest record is a weakness, and one that we made is not', async () => {
    const findNarrow = async () =>
      (await findTopicWeaknesses({ brokers }, prefix())).filter((each) => each.includes('max.message.bytes'))
    expect(await findNarrow()).toEqual([])
    const name = harness.backbone.topics.lane('stations')
    const topic: ConfigResourceTypes.TOPIC = 2
    const admin = plainKafka(brokers).admin()
    await admin.connect()
    try {
      const configEntries = [{ name: 'max.message.bytes', value: String(1024 * 1024 + 12) }]
      await admin.alterConfigs({ validateOnly: false, resources: [{ type: topic, name, configEntries }] })
    } finally {
      await admin.disconnect()
    }

    await until(async () => (await findNarrow()).length > 0)

    expect(await findNarrow()).toEqual([`max.message.bytes is below 5767168 (${name})`])
  })

  test('a start on Kafka is refused while the embedded log has unread records', async () => {
    await harness.database.commit([
      { text: "INSERT INTO log_partition (topic, partition, next) VALUES ('busbar.events', 0, 5)", values: [] },
      { text: "INSERT INTO consumer_offset VALUES ('embedded', 'stations', 'busbar.events', 0, 3)", values: [] },
    ])

    await expect(open(prefix(), 3)).rejects.toThrow('the embedded log holds 2 unread records')
  })

  test('what a Postgres lost that took over behind is read again, also where nothing new comes', async () => {
    const topic = harness.backbone.topics.lane('stations')
    const seen: string[] = []
    const consumer = await harness.backbone.log.consume({
      service: 'stations',
      topics: [topic],
      onBatch: async (batch) => {
        await harness.database.commit([batch.advance])
        seen.push(...batch.records.map(({ value }) => value.toString()))
      },
    })
    for (const value of ['0', '1', '2']) await harness.backbone.log.append({ topic, key: 'CP1', value, headers: {} })
    await until(() => seen.length === 3)
    await harness.database.query({ text: 'UPDATE consumer_offset SET next = 1 WHERE next = 3', values: [] })
    await until(() => seen.length === 5, 'what was lost')
    await harness.backbone.log.append({ topic, key: 'CP1', value: '3', headers: {} })
    await until(() => seen.length >= 6)

    expect(seen).toEqual(['0', '1', '2', '1', '2', '3'])
    await consumer.stop()
  })

  test('a tail leaves no group behind', async () => {
    const admin = plainKafka(brokers).admin()
    await admin.connect()
    const tails = async () => (await admin.listGroups()).groups.filter(({ groupId }) => groupId.startsWith(prefix()))
    const tail = await harness.backbone.log.tail({
      topics: [harness.backbone.topics.events],
      from: { last: 0 },
      onRecords: () => {},
    })
    expect(await tails()).toHaveLength(1)
    await tail.stop()

    expect(await tails()).toEqual([])
    await admin.disconnect()
  })

  test('a plain Kafka client writes to us and reads from us', async () => {
    const { log, topics } = harness.backbone
    const kafka = plainKafka(brokers)
    const producer = kafka.producer()
    await producer.connect()
    const seen: LogRecord[] = []
    const consumer = await log.consume({
      service: 'commands',
      topics: [topics.commands],
      onBatch: async (batch) => {
        await harness.database.commit([batch.advance])
        seen.push(...batch.records)
      },
    })
    const messages = Array.from({ length: 30 }, (_, i) => ({ key: `CP${i}`, value: `{"n":${i}}` }))
    await producer.send({ topic: topics.commands, messages: [...messages, { value: 'without a key' }] })
    await until(() => seen.length === 31)
    await consumer.stop()
    await producer.disconnect()

    expect(seen.filter((record) => record.headers.rekeyed !== undefined && record.key !== '')).toEqual([])
    expect(seen.map((record) => record.value.toString()).sort()).toEqual(
      [...messages.map(({ value }) => value), 'without a key'].sort(),
    )
  })

  test('a topic that was made anew is read from its beginning', async () => {
    const { log, topics } = harness.backbone
    const topic = topics.lane('stations')
    await harness.database.query({
      text: `INSERT INTO consumer_offset (log, service, topic, partition, next)
        SELECT $1, 'stations', $2, partition, 1000 FROM generate_series(0, 2) AS partition`,
      values: [log.id, topic],
    })
    await log.append({ topic, key: 'CP1', value: 'new', headers: {} })
    const seen: string[] = []
    const consumer = await log.consume({
      service: 'stations',
      topics: [topic],
      onBatch: async (batch) => {
        await harness.database.commit([batch.advance])
        seen.push(...batch.records.map((record) => record.value.toString()))
      },
    })
    await until(() => seen.length === 1)
    await consumer.stop()

    expect(seen).toEqual(['new'])
  })
})
