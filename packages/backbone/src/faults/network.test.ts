import net from 'node:net'
import { type BreakableNetwork, openDatabase, startNetwork, UnavailableError } from '@busbar/store'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { countOf, describeDistributed, type Harness, log, services, sides, until } from '../contract/sides.js'
import { type ChannelMessage, type Newcomer, openDistributedBackbone, stationChannel } from '../index.js'
import { openKafkaEventLog } from '../kafka/event-log.js'
import { BrokerSockets } from '../kafka/sockets.js'
import { backboneMetrics } from '../shared/metrics.js'
import { createOutbox } from '../shared/outbox.js'
import { createApplied, insertApplied, readApplied } from './applied.js'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const stops: (() => Promise<void>)[] = []
let harness: Harness
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
  await harness.close()
})
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const anyRow = { text: 'SELECT 1 FROM outbox', values: [] }

async function openBehindProxy() {
  const url = new URL(harness.url)
  const target = { host: url.hostname, port: Number(url.port) }
  const proxy = await startNetwork(() => target)
  url.port = String(proxy.port)
  const database = openDatabase({ url: url.href, poolSize: 3, statementTimeoutMs: 1000 })
  stops.push(proxy.close, database.close)
  return { proxy, database }
}

describe.each(sides)('Postgres away, $name', (side) => {
  test('workers pause, and go on where they were when it returns', async () => {
    harness = await side.open()
    await harness.database.query(createApplied)
    const { proxy, database } = await openBehindProxy()
    const { log: eventLog, topics } = harness.backbone
    // Only the service loses Postgres: the log itself stays, also where it is in the same Postgres.
    const consumer = await eventLog.consume({
      service: 'stations',
      topics: [topics.lane('stations')],
      onBatch: async (batch) => {
        await database.commit([insertApplied('one', batch.records), batch.advance])
      },
    })
    stops.push(consumer.stop)
    const append = (n: number) =>
      eventLog.append({ topic: topics.lane('stations'), key: 'CP1', value: String(n), headers: {} })
    const values = async () => (await readApplied(harness.database)).map((each) => Number(each.value))

    const expected: number[] = []
    for (const fault of ['cut', 'stall'] as const) {
      expected.push(expected.length, expected.length + 1)
      await append(expected.length - 2)
      await until(async () => (await values()).length === expected.length - 1)
      proxy[fault]()
      await append(expected.length - 1)
      await pause(2500)
      expect(await values()).toHaveLength(expected.length - 1)
      proxy.mend()
      await until(async () => (await values()).length >= expected.length)
    }
    await append(4)

    await until(async () => (await values()).length >= 5)
    expect(await values()).toEqual([...expected, 4])
    expect(await countOf(harness.metrics, 'busbar_consumer_pauses_total')).toBeGreaterThan(1)
  })

  test('the sender of the API gives up one that fell silent, and goes on over a new connection', async () => {
    harness = await side.open()
    const { proxy, database } = await openBehindProxy()
    const { log: eventLog, topics } = harness.backbone
    const registry = new Registry()
    const outbox = createOutbox({
      ...{ database, topics, append: eventLog.append, log, metrics: backboneMetrics(registry) },
      senderLimits: { statementTimeoutMs: 500 },
    })
    const sender = outbox.startApiSender()
    stops.push(sender.stop)
    const commit = async (value: string) => {
      await harness.database.commit(
        harness.backbone.outbox.insert([{ source: 'api', topic: topics.events, key: 'CP1', value, headers: {} }]),
      )
      sender.poke()
    }
    const isSent = async () => (await harness.database.query(anyRow)).length === 0
    await commit('before')
    await until(isSent)

    proxy.stall()
    await commit('meanwhile')
    await until(async () => (await countOf(registry, 'busbar_outbox_retries_total')) > 0)
    expect(await isSent()).toBe(false)
    proxy.mend()

    await until(isSent)
  })
})

describeDistributed('Kafka away', (side) => {
  let network: { connected: boolean; sockets: Set<net.Socket> }
  beforeEach(async () => {
    harness = await side.open()
    network = { connected: true, sockets: new Set() }
  })

  /** reset: the other end says so; silence: nobody says anything, and kafkajs does not notice. */
  const cut = (how: 'reset' | 'silence') => {
    network.connected = false
    for (const socket of network.sockets) socket.destroy(how === 'reset' ? new Error('read ECONNRESET') : undefined)
  }
  const mend = () => {
    network.connected = true
  }

  async function openLog(giveUpMs: number) {
    const eventLog = await openKafkaEventLog({
      brokers: services?.brokers ?? [],
      log,
      database: harness.database,
      topics: harness.backbone.topics,
      partitions: harness.partitions,
      metrics: backboneMetrics(harness.metrics),
      limits: { giveUpMs, toleranceMs: giveUpMs / 2, probeMs: 50 },
      sockets: new BrokerSockets(({ host, port, onConnect }) => {
        // Port 9 (discard) refuses.
        const socket = net.connect({ host, port: network.connected ? port : 9, noDelay: true }, onConnect)
        network.sockets.add(socket)
        socket.on('close', () => network.sockets.delete(socket))
        return socket
      }),
    })
    stops.push(eventLog.close)
    const seen: string[] = []
    const topic = harness.backbone.topics.lane('stations')
    const consumer = await eventLog.consume({
      service: 'stations',
      topics: [topic],
      onBatch: async (batch) => {
        await harness.database.commit([batch.advance])
        seen.push(...batch.records.map((record) => record.value.toString()))
      },
    })
    stops.push(consumer.stop)
    const append = (value: string) => eventLog.append({ topic, key: 'CP1', value, headers: {} })
    return { eventLog, append, seen }
  }

  test.each(['reset', 'silence'] as const)('records wait for a short absence and keep their order: %s', async (how) => {
    const { append, seen } = await openLog(20_000)
    await append('0')
    await until(() => seen.length === 1)
    cut(how)
    const waiting = ['1', '2', '3'].map(append)
    await pause(1500)
    waiting.push(append('4'))
    mend()
    await Promise.all(waiting)
    await until(() => new Set(seen).size === 5, 'the records', 30_000)

    expect([...new Set(seen)]).toEqual(['0', '1', '2', '3', '4'])
  })

  test('a longer one refuses appends in time and at once after that, until Kafka returns', async () => {
    const { eventLog, append, seen } = await openLog(1500)
    await append('0')
    cut('reset')
    const startedAt = performance.now()
    await expect(append('lost')).rejects.toThrow(UnavailableError)
    expect(performance.now() - startedAt).toBeLessThan(2500)
    expect(eventLog.available).toBe(false)
    const refusedAt = performance.now()
    await expect(append('refused')).rejects.toThrow(UnavailableError)
    expect(performance.now() - refusedAt).toBeLessThan(50)
    mend()
    await until(() => eventLog.available, 'the canary')
    await append('1')
    await until(() => seen.includes('1'), 'the record', 30_000)

    expect(seen).toEqual(['0', '1'])
  })
})

describeDistributed('Redis away', (side) => {
  let proxy: BreakableNetwork
  const heard: ChannelMessage[] = []
  const station = 'CP1'
  const takeover: ChannelMessage = { kind: 'takeover', epoch: 1, connectionId: 'c1' }
  const command = {
    kind: 'command' as const,
    commandId: 'k1',
    callIndex: 0,
    expiresAt: '2026-01-01T00:00:00Z',
    action: 'Reset',
    payload: {},
  }

  async function openBehindProxy() {
    heard.length = 0
    harness = await side.open({ partitions: 1 })
    const redisUrl = new URL(services?.redisUrl ?? '')
    const target = { host: redisUrl.hostname, port: Number(redisUrl.port) }
    proxy = await startNetwork(() => target)
    redisUrl.port = String(proxy.port)
    const backbone = await openDistributedBackbone({
      database: harness.database,
      brokers: services?.brokers ?? [],
      redis: { url: redisUrl.href },
      topicPrefix: harness.backbone.topics.events.replace(/\.events$/, ''),
      partitions: 1,
      log,
      metrics: new Registry(),
    })
    stops.push(proxy.close, backbone.close)
    await backbone.channels.subscribe(stationChannel(station), { receive: (message) => heard.push(message) })
    return backbone
  }
  const newcomer: Newcomer = {
    connectionId: 'c1',
    gatewayId: 'g1',
    protocol: 'ocpp1.6',
    proven: { profile: 1, at: Date.now() },
    profileSetAt: null,
  }
  const within = async (ms: number, work: Promise<unknown>) => {
    const startedAt = performance.now()
    const outcome = await work.catch((error) => error)
    expect(performance.now() - startedAt).toBeLessThan(ms)
    return outcome
  }

  test.each(['cut', 'stall'] as const)('requests fail within 1 s: %s', async (fault) => {
    const { channels, ownership } = await openBehindProxy()
    proxy[fault]()

    // What is written before the end of the line is known may have arrived.
    expect(await within(1500, ownership.dispatch(station, command))).toBe('unsure')
    const publish = channels.publish([{ channel: stationChannel(station), message: takeover }])
    expect(await within(1500, publish)).toBeInstanceOf(UnavailableError)
    expect(await within(1500, channels.heard())).toBeInstanceOf(UnavailableError)
    expect(await within(1500, ownership.register(station, newcomer))).toBeInstanceOf(UnavailableError)
    proxy.mend()
  })

  test('one that is silent is given up, and listeners hear again over new connections', async () => {
    const { channels, ownership } = await openBehindProxy()
    proxy.stall()
    await within(4500, channels.subscribe(stationChannel('late'), { receive() {} }))
    await channels.publish([{ channel: stationChannel(station), message: takeover }]).catch(() => {})
    const refusal = () => ownership.dispatch(station, command).catch((cause) => cause)
    expect(channels.isAvailable).toBe(false)
    expect(await within(100, refusal())).toBeInstanceOf(UnavailableError)
    proxy.cut()
    proxy.mend()
    await until(async () => {
      const [receivers] = await harness.backbone.channels.publish([
        { channel: stationChannel(station), message: takeover },
      ])
      return receivers === 1
    }, 'the subscription')
    await until(() => channels.isAvailable, 'the other connection')
  })

  test('one that answers is not taken for silent by a process that stood still', async () => {
    const { channels } = await openBehindProxy()
    for (let stall = 0; stall < 3; stall += 1) {
      const published = channels.publish([{ channel: stationChannel(station), message: takeover }])
      const stallsUntil = performance.now() + 700
      while (performance.now() < stallsUntil);
      expect(await published).toEqual([1])
    }
  })

  test('listeners hear again after its return, also those that came meanwhile', async () => {
    const { channels } = await openBehindProxy()
    proxy.cut()
    await pause(100)
    const late: ChannelMessage[] = []
    await within(1500, channels.subscribe(stationChannel('late'), { receive: (message) => late.push(message) }))
    proxy.mend()

    await until(async () => {
      const messages = ['late', station].map((id) => ({ channel: stationChannel(id), message: takeover }))
      const receivers = await harness.backbone.channels.publish(messages)
      return receivers.every((count) => count === 1)
    }, 'the subscriptions')
    await until(() => late.length > 0 && heard.length > 0)
  })

  test('a command whose answer was lost is not sent a second time', async () => {
    const { ownership } = await openBehindProxy()
    await ownership.register(station, newcomer)
    await until(() => heard.length === 1)
    const commands: ChannelMessage[] = []
    await harness.backbone.channels.subscribe(stationChannel(station), { receive: (each) => commands.push(each) })
    proxy.stall()
    const dispatched = ownership.dispatch(station, command)
    expect(await within(1500, dispatched)).toBe('unsure')
    proxy.cut()
    proxy.mend()
    await until(async () => (await ownership.register(station, newcomer).catch(() => null)) !== null)
    await until(() => commands.some((message) => message.kind === 'takeover'))

    expect(commands.filter((message) => message.kind === 'command')).toEqual([])
  })

  test('jobs are found by the sweep', async () => {
    const backbone = await openBehindProxy()
    proxy.cut()
    const due: string[] = []
    const jobs = await backbone.jobs.start(async (found) => {
      due.push(...found.map((job) => job.key))
      await harness.database.query({ text: 'DELETE FROM job', values: [] })
    })
    stops.push(jobs.stop)
    await harness.database.query({
      text: "INSERT INTO job (service, kind, key, station_id, due_at) VALUES ('commands', 'expiry', 'k1', 'CP1', now())",
      values: [],
    })
    const job = { service: 'commands' as const, kind: 'expiry', key: 'k1', stationId: station, dueAt: new Date() }
    await within(500, backbone.jobs.schedule([job]))
    await until(() => due.length > 0)
    proxy.mend()

    expect(due).toEqual(['k1'])
  })
})
