import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { OffsetConflictError } from '@busbar/store'
import type { ConsumerRunConfig, EachBatchPayload, Kafka } from 'kafkajs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { describeDistributed, type Harness, log, services, until } from '../contract/sides.js'
import { type Positions, positionKey, type TopicPartition } from '../shared/offsets.js'
import { createKafka } from './client.js'
import { readerRetry } from './group-member.js'
import { KafkaReader, type ReaderOptions } from './reader.js'
import { BrokerSockets } from './sockets.js'

vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 })

describeDistributed('a member of a group', (side) => {
  let harness: Harness
  const stops: (() => Promise<void>)[] = []
  beforeEach(async () => {
    harness = await side.open({ partitions: 4 })
  })
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
    await harness.close()
  })

  /** Its offsets are kept here, for all members. */
  function openReader(committed: Positions, sockets?: BrokerSockets) {
    const topic = harness.backbone.topics.lane('stations')
    const placed: number[][] = []
    const seen: string[] = []
    const place = async (wanted: readonly TopicPartition[]) => {
      placed.push(wanted.map(({ partition }) => partition).sort())
      return new Map(
        wanted.map((each) => {
          const next = committed.get(positionKey(each)) ?? 0n
          return [positionKey(each), { next, seek: next }]
        }),
      )
    }
    const reader = new KafkaReader({
      kafka: createKafka(
        { brokers: services?.brokers ?? [], log, ...(sockets && { sockets }) },
        { retry: readerRetry, requestTimeout: 5_000 },
      ),
      groupId: `${topic}.readers`,
      topics: [topic],
      partitions: 4,
      place,
      deliver: async (records, positions) => {
        for (const record of records) {
          if (record.offset < (positions.get(positionKey(record)) ?? 0n)) continue
          seen.push(record.value.toString())
          for (const each of [positions, committed]) each.set(positionKey(record), record.offset + 1n)
        }
      },
      log,
    })
    stops.push(() => reader.stop())
    return { reader, placed, seen }
  }

  test('reads on what it keeps, and is placed only on what is new to it', async () => {
    const committed: Positions = new Map()
    let appended = 0
    const appendToAll = async () => {
      const topic = harness.backbone.topics.lane('stations')
      const keys = Array.from({ length: 40 }, (_, index) => `CP${index}`)
      await Promise.all(
        keys.map((key) => harness.backbone.log.append({ topic, key, value: String(appended++), headers: {} })),
      )
    }
    const [first, second] = [openReader(committed), openReader(committed)]
    await first.reader.start()
    await appendToAll()
    await until(() => first.seen.length === 40)

    await second.reader.start()
    await until(() => first.reader.assignment.partitions.length === 2, 'the first gives half of them away')
    await appendToAll()
    await until(() => first.seen.length + second.seen.length === 80)
    await second.reader.stop()
    await until(() => first.reader.assignment.positions.size === 4, 'it has them back', 3_000)
    await appendToAll()
    await until(() => first.seen.length + second.seen.length === 120)

    const [all = [], ...later] = first.placed
    expect(all).toEqual([0, 1, 2, 3])
    expect(later.flat()).toEqual(second.placed.flat())
    expect(later.flat()).toHaveLength(2)
    expect([...first.seen, ...second.seen].toSorted((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 120 }, (_, index) => String(index)),
    )
  })

  test('that crashed joins as a new one, and the group does not wait for the old one', async () => {
    const open = new Set<net.Socket>()
    let isCut = false
    const sockets = new BrokerSockets(({ host, port, onConnect }) => {
      const socket = isCut ? new net.Socket().destroy(new Error('cut')) : net.connect({ host, port }, onConnect)
      return open.add(socket) && socket
    })
    const { reader, placed } = openReader(new Map(), sockets)
    await reader.start()

    isCut = true
    for (const socket of open) socket.destroy(new Error('cut'))
    const isMended = sleep(500).then(() => {
      isCut = false
    })

    await until(() => placed.length === 2, 'it is there again before the session of the old one is over', 5_000)
    await isMended
    expect(placed).toEqual([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ])
  })

  test('whose join was not answered to its end reads all that it was given', async () => {
    let losesAnswer = false
    const syncGroup = 14
    const sockets = new BrokerSockets(({ host, port, onConnect }) => {
      const socket = net.connect({ host, port }, onConnect)
      const write = socket.write.bind(socket) as (bytes: Buffer) => boolean
      return Object.assign(socket, {
        write(request: Buffer) {
          if (losesAnswer && request.readInt16BE(4) === syncGroup) {
            losesAnswer = false
            socket.pause()
            setTimeout(() => socket.destroy(new Error('cut')), 200)
          }
          return write(request)
        },
      })
    })
    const committed: Positions = new Map()
    const [first, second] = [openReader(committed, sockets), openReader(committed)]
    await first.reader.start()
    await second.reader.start()
    await until(() => first.reader.assignment.positions.size === 2, 'the first gives half of them away')

    losesAnswer = true
    await second.reader.stop()
    await until(() => first.reader.assignment.positions.size === 4, 'it has them all', 5_000)
    expect(losesAnswer).toBe(false)
  })
})

/** A reader of one partition on a consumer that does what the test says. */
async function startOnFake(options: Pick<ReaderOptions, 'deliver'> & Partial<ReaderOptions>, change = () => {}) {
  const topic = 'lane'
  const events = new Map<string, (event: object) => void>()
  const changes: string[] = []
  let run: ConsumerRunConfig = {}
  const noted = (name: string) => () => {
    changes.push(name)
    change()
  }
  const consumer = {
    events: { GROUP_JOIN: 'join', HEARTBEAT: 'heartbeat', CRASH: 'crash' },
    on: (name: string, listener: (event: object) => void) => events.set(name, listener),
    connect: async () => {},
    subscribe: async () => {},
    disconnect: async () => {},
    run: async (config: ConsumerRunConfig) => {
      run = config
      events.get('join')?.({ payload: { memberId: 'm', memberAssignment: { [topic]: [0] } } })
    },
    pause: noted('pause'),
    resume: noted('resume'),
    seek: () => {},
  }
  const reader = new KafkaReader({
    kafka: { consumer: () => consumer } as unknown as Kafka,
    groupId: 'group',
    topics: [topic],
    partitions: 1,
    place: async () => new Map([[positionKey({ topic, partition: 0 }), { next: 0n, seek: 0n }]]),
    log,
    ...options,
  })
  await reader.start()
  const message = { offset: '0', timestamp: '0', key: null, value: Buffer.from('{}'), attributes: 0 }
  const batch = { topic, partition: 0, messages: [message], lastOffset: () => '0' }
  return {
    reader,
    changes,
    handBatch: async (heartbeat = async () => {}) =>
      await run.eachBatch?.({ batch, heartbeat, resolveOffset: () => {} } as unknown as EachBatchPayload),
  }
}

test('a rest that is over while kafkajs has no group, between a crash and its next start, harms nothing', async () => {
  let hasGroup = true
  const { reader, changes, handBatch } = await startOnFake({ gathered: ['lane'], deliver: async () => {} }, () => {
    if (hasGroup) return
    throw Object.assign(new Error('Consumer group was not initialized'), { name: 'KafkaJSNonRetriableError' })
  })
  await handBatch()

  hasGroup = false
  const before = changes.length
  await until(() => changes.length > before)
  await reader.stop()
})

test('after an offset conflict the partition is read again, also where the heartbeat fails and the member stays', async () => {
  let delivered = 0
  const deliver = async () => {
    if (delivered++ === 0) throw new OffsetConflictError('moved')
  }
  const { reader, changes, handBatch } = await startOnFake({ deliver })
  changes.splice(0)
  const timeOut = new Error('Request Heartbeat timed out')

  await expect(handBatch(() => Promise.reject(timeOut))).rejects.toBe(timeOut)
  await until(() => changes.includes('resume'))
  await handBatch()

  expect(changes).toEqual(['pause', 'resume'])
  expect(delivered).toBe(2)
  await reader.stop()
})

test('partitions whose leader moves are asked for every second, however often', { timeout: 10_000 }, async () => {
  let failures = 0
  const { reader } = await startOnFake({
    deliver: async () => {},
    place: async (wanted) => {
      if (failures < 6) throw new Error(`This server is not the leader for that topic-partition: ${++failures}`)
      return new Map(wanted.map((each) => [positionKey(each), { next: 0n, seek: 0n }]))
    },
  })
  expect(failures).toBe(6)
  await reader.stop()
})
