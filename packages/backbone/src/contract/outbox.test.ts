import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LogRecord, OutboxRow } from '../index.js'
import { AppendQueue, type PlacedRecord } from '../shared/append-queue.js'
import { backboneMetrics } from '../shared/metrics.js'
import { createOutbox } from '../shared/outbox.js'
import { type Harness, log, sides, until } from './sides.js'

vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 })

describe.each(sides)('the outbox, $name', (side) => {
  let harness: Harness
  const events: LogRecord[] = []
  let stopTail = async () => {}
  const closes: (() => Promise<void>)[] = []

  beforeEach(async () => {
    events.length = 0
    harness = await side.open()
    const tail = await harness.backbone.log.tail({
      topics: [harness.backbone.topics.events],
      from: 'beginning',
      onRecords: (records) => events.push(...records),
    })
    stopTail = tail.stop
  })
  afterEach(async () => {
    for (const close of closes.splice(0)) await close()
    await stopTail()
    await harness.close()
  })

  const row = (source: string, value: string, key = 'CP1'): OutboxRow => ({
    source,
    topic: harness.backbone.topics.events,
    key,
    value,
    headers: { id: `id\0${value}` },
  })
  const commit = (...rows: OutboxRow[]) => harness.database.commit(harness.backbone.outbox.insert(rows))
  const values = () => events.map((record) => record.value.toString())
  const rest = () => harness.database.query<{ id: bigint }>({ text: 'SELECT id FROM outbox', values: [] })

  /** An outbox on a log of its own, whose requests fail as long as the test says. */
  function outboxOn(refuses: (records: readonly PlacedRecord[]) => boolean) {
    const { database, backbone, partitions } = harness
    const { topics } = backbone
    const metrics = backboneMetrics(new Registry())
    const requests: string[][] = []
    const queue = new AppendQueue({
      topics,
      partitions,
      log,
      metrics,
      limits: { giveUpMs: 400, probeMs: 10, maxRequestBytes: 2 },
      send: async (records) => {
        if (refuses(records)) throw new Error('refused')
        await Promise.all(records.map((record) => backbone.log.append(record)))
        requests.push(records.map((record) => record.value.toString()))
      },
    })
    const append = queue.append.bind(queue)
    const outbox = createOutbox({ database, topics, append, log, metrics })
    closes.push(outbox.close, () => queue.close())
    return { outbox, sent: () => requests.flat().filter((value) => value !== 'canary') }
  }

  test('what was committed is sent in order and deleted', async () => {
    const sent = Array.from({ length: 2500 }, (_, i) => String(i))
    await commit(...sent.map((value) => row('stations:1', value)))
    harness.backbone.outbox.flush(['stations:1'])
    await until(async () => values().length === 2500 && (await rest()).length === 0)

    expect(values()).toEqual(sent)
    expect(events[7]?.headers).toEqual({ id: 'id\x007' })
  })

  test('a flush ends when the log holds what was committed, however often it refuses before', async () => {
    let refusals = 2
    const { outbox, sent } = outboxOn(() => refusals-- > 0)
    await commit(row('stations:1', 'a'))
    await commit(row('stations:2', 'b', 'CP2'))

    await Promise.all([outbox.flush(['stations:1']), outbox.flush(['stations:2'])])

    expect(sent().sort()).toEqual(['a', 'b'])
    expect(await rest()).toEqual([])
  })

  test('sources that were not asked for stay', async () => {
    await commit(row('stations:1', 'a'), row('stations:2', 'b'))
    harness.backbone.outbox.flush(['stations:2'])
    await until(() => events.length === 1)

    expect(values()).toEqual(['b'])
  })

  test('leftovers of an earlier owner go first', async () => {
    await commit(row('stations:1', 'left over'))
    await commit(row('stations:1', 'new'))
    harness.backbone.outbox.flush(['stations:1'])
    await until(() => events.length === 2)

    expect(values()).toEqual(['left over', 'new'])
  })

  test('after a failed append nothing that follows it goes first', async () => {
    let refused = 0
    const { outbox, sent } = outboxOn((records) => records.some(({ value }) => `${value}` === 'c') && refused++ < 6)
    await commit(...['a', 'b', 'c', 'd', 'e'].map((value) => row('stations:1', value)))
    outbox.flush(['stations:1'])
    await until(() => refused > 0)
    await commit(row('stations:1', 'f'))
    outbox.flush(['stations:1'])
    await until(async () => (await rest()).length === 0)

    // A slow acknowledgement may have it sent twice, but never out of order.
    expect([...new Set(sent())]).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(refused).toBeGreaterThan(1)
  })

  test('nothing is deleted that was not acknowledged', async () => {
    let refused = 0
    const { outbox } = outboxOn(() => refused++ < 1000)
    await commit(row('stations:1', 'a'), row('stations:1', 'b'))
    outbox.flush(['stations:1'])
    await until(() => refused > 10)

    expect(await rest()).toHaveLength(2)
  })

  test('a record that no log would take is refused before it is committed', () => {
    const { outbox } = harness.backbone

    expect(() => outbox.insert([{ ...row('stations:1', 'a'), topic: 'nobody' }])).toThrow('unknown topic')
    expect(() => outbox.insert([{ ...row('stations:1', 'a'), value: Buffer.alloc(6_000_000) }])).toThrow(
      'above the limit',
    )
  })

  test('rows of the API are sent at once by the process that was poked', async () => {
    const sender = harness.backbone.outbox.startApiSender()
    closes.push(sender.stop)
    await commit(row('api', 'first'))
    sender.poke()
    await until(() => events.length === 1)
    const startedAt = performance.now()
    await commit(row('api', 'second'))
    sender.poke()
    await until(() => events.length === 2)

    expect(performance.now() - startedAt).toBeLessThan(700)
    await until(async () => (await rest()).length === 0, 'their end in the books')
  })

  test('two senders of API rows send each once, and one finds what the other left', async () => {
    const { outbox } = outboxOn(() => false)
    const senders = [harness.backbone.outbox.startApiSender(), outbox.startApiSender()]
    closes.push(...senders.map((sender) => sender.stop))
    for (let i = 0; i < 50; i++) {
      await commit(row('api', String(i)))
      for (const sender of senders) sender.poke()
    }
    await commit(row('api', 'without a poke'))
    await until(async () => events.length >= 51 && (await rest()).length === 0)

    expect(values()).toEqual([...Array.from({ length: 50 }, (_, i) => String(i)), 'without a poke'])
  })
  test('a sender that hangs while it holds the lock frees it for the others', async () => {
    const { database, backbone } = harness
    let [hold, leave] = [() => {}, () => {}]
    const isHeld = new Promise<void>((resolve) => {
      hold = resolve
    })
    const isLeft = new Promise<void>((resolve) => {
      leave = resolve
    })
    const hanging = createOutbox({
      ...{ database, topics: backbone.topics, log, metrics: backboneMetrics(new Registry()) },
      append: () => {
        hold()
        return isLeft
      },
      senderLimits: { idleTimeoutMs: 500 },
    })
    await commit(row('api', 'held up'))
    const first = hanging.startApiSender()
    await isHeld

    const second = backbone.outbox.startApiSender()
    closes.push(second.stop)
    await until(async () => values().includes('held up') && (await rest()).length === 0)

    leave()
    await first.stop()
  })
})
