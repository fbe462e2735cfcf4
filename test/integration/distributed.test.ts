import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { StationSocket, VirtualStation } from '@busbar/simulator'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkLedgers } from '../support/check-ledgers.js'
import { allServices, hasServices, type System, startDistributed, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
const terminal = ['accepted', 'rejected', 'error', 'timeout', 'unknown', 'undeliverable', 'expired']

interface ShownCommand {
  id: string
  status: string
}

describe.skipIf(!hasServices())('two gateways, two workers, Kafka with 12 partitions', () => {
  let system: System
  beforeAll(async () => {
    // A worker that is frozen for a while must find its query answered, not timed out, when it wakes.
    const env = { BUSBAR_DATABASE_STATEMENT_TIMEOUT_MS: '60000' }
    system = await startDistributed({ gateways: 2, workers: [allServices, allServices] }, env)
    await system.api.registerToken('TOKEN-1')
  })
  afterAll(() => system?.stop())

  async function register(count: number, name: string): Promise<VirtualStation[]> {
    const ids = Array.from({ length: count }, (_, index) => `${name}-${String(index).padStart(3, '0')}`)
    for (const id of ids) await system.api.registerStation(id, password)
    return ids.map(
      (id, index) =>
        new VirtualStation({
          id,
          password,
          protocol: index % 2 === 0 ? 'ocpp1.6' : 'ocpp2.0.1',
          // Half of them try the second gateway first.
          urls: index % 4 < 2 ? system.urls : system.urls.toReversed(),
          retry: { attempts: 3, intervalMs: 500 },
          callTimeoutMs: 30_000,
          reconnectMs: 200,
        }),
    )
  }

  const open = (id: string, gateway: number) =>
    StationSocket.open({ url: system.urls[gateway] ?? '', id, password, protocols: ['ocpp1.6'] })
  const boot = { chargePointVendor: 'Test', chargePointModel: 'Socket' }
  const connectionOf = async (id: string) =>
    (await system.api.get<{ connection: { online: boolean; gatewayId: string } }>(`/stations/${id}`)).connection

  test('of two connections of one station the newest is commanded; a late close of the older changes nothing', async () => {
    const id = 'RACE'
    await system.api.registerStation(id, password)
    const older = await open(id, 0)
    await older.call('BootNotification', boot)
    const newer = await open(id, 1)
    let asked = 0
    newer.on('ClearCache', () => {
      asked += 1
      return { status: 'Accepted' }
    })
    older.on('ClearCache', () => {
      throw new Error('the older connection was commanded')
    })
    expect(await newer.call('Heartbeat', {})).toMatchObject({ kind: 'result' })
    await older.closed
    const { body } = await system.api.command(id, 'ClearCache', {})
    expect(body.status).toBe('accepted')
    expect(asked).toBe(1)
    // The older one's close has long been logged: the station stays online.
    await sleep(1_000)
    expect(await connectionOf(id)).toMatchObject({ online: true })
    newer.close()
    await until('offline', async () => !(await connectionOf(id)).online, 5_000)
  })

  test('the stations of a killed gateway show offline within 20 s, and what it was to send ends in a verdict', async () => {
    const id = 'ORPHANED'
    await system.api.registerStation(id, password)
    const socket = await open(id, 1)
    await socket.call('BootNotification', boot)
    // Never answered: the command is in flight when the gateway dies.
    socket.on('ClearCache', () => new Promise(() => {}))
    const { body } = await system.api.request<ShownCommand>('POST', `/stations/${id}/commands`, {
      action: 'ClearCache',
      payload: {},
    })
    await until('the command has arrived', () => socket.receivedCalls.length === 1)
    system.gateways[1]?.signal('SIGKILL')
    await until('offline', async () => !(await connectionOf(id)).online, 20_000)
    const verdict = await until('the verdict', async () => {
      const { status } = await system.api.get<ShownCommand>(`/commands/${body.id}`)
      return terminal.includes(status) && status
    })
    expect(verdict).toBe('unknown')
    await system.restartGateway(1)
  })

  test('a station that falls silent without a close shows offline within 75 s', async () => {
    const id = 'SILENT'
    await system.api.registerStation(id, password)
    const socket = await open(id, 0)
    await socket.call('BootNotification', boot)
    socket.pause()
    await sleep(1_000)
    expect(await connectionOf(id)).toMatchObject({ online: true })
    await until('offline', async () => !(await connectionOf(id)).online, 75_000)
    socket.terminate()
  }, 90_000)

  test('many racing connections end with one owner', async () => {
    const id = 'FLAP'
    await system.api.registerStation(id, password)
    const sockets = await Promise.all(Array.from({ length: 10 }, (_, index) => open(id, index % 2)))
    let executed = 0
    for (const socket of sockets) {
      socket.on('ClearCache', () => {
        executed += 1
        return { status: 'Accepted' }
      })
    }
    await until('one connection left', () => sockets.filter(({ isOpen }) => isOpen).length === 1, 10_000)
    const { body } = await system.api.command(id, 'ClearCache', {})
    expect(body.status).toBe('accepted')
    expect(executed).toBe(1)
    for (const socket of sockets) socket.close()
  })

  test('an outside program commands over Kafka and reads the verdict and events', async () => {
    const id = 'OUTSIDE'
    await system.api.registerStation(id, password)
    const kafka = new Kafka({
      clientId: 'outside',
      brokers: system.brokers,
      logLevel: logLevel.NOTHING,
    })
    const consumer = kafka.consumer({ groupId: `outside-${randomUUID()}` })
    await consumer.connect()
    const [verdicts, events] = [`${system.topicPrefix}.command-results`, `${system.topicPrefix}.events`]
    await consumer.subscribe({ topics: [verdicts, events], fromBeginning: true })
    const seen: { topic: string; value: Record<string, unknown> }[] = []
    await consumer.run({
      eachMessage: async ({ topic, message }) => {
        seen.push({ topic, value: JSON.parse(String(message.value)) })
      },
    })
    const socket = await open(id, 0)
    socket.on('Reset', () => ({ status: 'Accepted' }))
    await socket.call('BootNotification', boot)

    const producer = kafka.producer()
    await producer.connect()
    const idempotencyKey = randomUUID()
    const request = {
      stationId: id,
      action: 'Reset',
      payload: { type: 'Soft' },
      idempotencyKey,
      requestedBy: 'billing',
    }
    await producer.send({
      topic: `${system.topicPrefix}.commands`,
      messages: [{ key: id, value: JSON.stringify(request) }],
    })

    const verdict = await until('the verdict', () =>
      seen.find(({ topic, value }) => topic === verdicts && value.idempotencyKey === idempotencyKey),
    )
    expect(verdict.value).toMatchObject({ status: 'accepted', stationId: id, response: { status: 'Accepted' } })
    const booted = await until('the event', () =>
      seen.find(({ value }) => value.type === 'busbar.station.booted.v1' && String(value.source).endsWith(`/${id}`)),
    )
    expect(booted.value).toMatchObject({ specversion: '1.0' })
    await producer.disconnect()
    await consumer.disconnect()
    socket.close()
  })

  test('SIGKILL of a gateway and of a worker under load of 200 stations loses and doubles nothing', async () => {
    const stations = await register(200, 'KILL')
    await Promise.all(stations.map((station) => station.start()))
    const life = new AbortController()
    const charging = stations.map(async (station) => {
      while (!life.signal.aborted) {
        await station.charge({ token: 'TOKEN-1', powerW: 400_000, readings: 5, intervalMs: 800 })
        await sleep(500 * Math.random())
      }
    })
    const commands: Promise<ShownCommand>[] = []
    const commanding = (async () => {
      while (!life.signal.aborted) {
        const station = stations[Math.floor(Math.random() * stations.length)]
        commands.push(
          system.api
            .expect<ShownCommand>('POST', `/stations/${station?.id}/commands`, { action: 'ClearCache', payload: {} })
            .then(({ id, status }) => ({ id, status })),
        )
        await sleep(50)
      }
    })()

    await sleep(4_000)
    system.gateways[0]?.signal('SIGKILL')
    await sleep(5_000)
    await system.restartGateway(0)
    system.workers[0]?.signal('SIGKILL')
    await sleep(10_000)
    await system.restartWorker(0)
    await sleep(3_000)
    life.abort()
    await commanding
    await Promise.all(charging)
    await until('all queues empty', () => stations.every(({ queued, isOnline }) => isOnline && queued === 0), 60_000)

    const sent = await Promise.all(commands)
    await until(
      'every command has its verdict',
      async () => {
        const { rows } = await system.database.query<{ open: number }>(
          'SELECT count(*)::int AS open FROM command WHERE NOT status = ANY($1)',
          [terminal],
        )
        return rows[0]?.open === 0
      },
      90_000,
    )
    const executed = stations.flatMap(({ ledger }) => ledger.commands.map(({ messageId }) => messageId))
    expect(new Set(executed).size).toBe(executed.length)
    expect(executed.length).toBeLessThanOrEqual(sent.length)
    const { rows: accepted } = await system.database.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM command WHERE status = 'accepted' AND station_id LIKE 'KILL-%'",
    )
    expect(accepted[0]?.count).toBeLessThanOrEqual(executed.length)
    expect(accepted[0]?.count).toBeGreaterThan(0)

    const report = await checkLedgers(
      system,
      stations.map(({ id, ledger }) => ({ id, ledger })),
    )
    expect(report).toEqual({ ...report, wrongEnergy: [], missing: [], doubled: [], discarded: [] })
    expect(report.sessions).toBeGreaterThan(200)
    await Promise.all(stations.map((station) => station.stop()))
  }, 240_000)

  test('a frozen worker cannot commit once its partitions moved, and the rightful owner goes on', async () => {
    const stations = await register(20, 'FREEZE')
    await Promise.all(stations.map((station) => station.start()))
    const life = new AbortController()
    const charging = stations.map(async (station) => {
      while (!life.signal.aborted) {
        await station.charge({ token: 'TOKEN-1', powerW: 400_000, readings: 4, intervalMs: 300 })
      }
    })
    await sleep(2_000)
    const [frozen] = system.workers
    // With the tokens locked both workers wait in the middle of a batch; this one is frozen there.
    const lock = await system.database.connect()
    await lock.query('BEGIN')
    await lock.query('LOCK TABLE token IN ACCESS EXCLUSIVE MODE')
    await sleep(1_000)
    frozen?.signal('SIGSTOP')
    await lock.query('COMMIT')
    lock.release()
    const offsets = async () => {
      const { rows } = await system.database.query<{ sum: string }>(
        "SELECT sum(next) AS sum FROM consumer_offset WHERE service = 'transactions'",
      )
      return BigInt(rows[0]?.sum ?? 0)
    }
    // The session ends after 6 s; then the other worker owns every partition.
    await sleep(12_000)
    const before = await offsets()
    await sleep(2_000)
    expect(await offsets()).toBeGreaterThan(before)
    frozen?.signal('SIGCONT')
    await until('the refused commit', async () => {
      const metrics = await frozen?.metrics()
      return /busbar_consumer_conflicts_total\{service="transactions"\} [1-9]/.test(metrics ?? '')
    })
    life.abort()
    await Promise.all(charging)
    await until('all queues empty', () => stations.every(({ queued, isOnline }) => isOnline && queued === 0), 60_000)

    expect(frozen?.child.exitCode).toBeNull()
    const report = await checkLedgers(
      system,
      stations.map(({ id, ledger }) => ({ id, ledger })),
    )
    expect(report).toEqual({ ...report, wrongEnergy: [], missing: [], doubled: [], discarded: [] })
    await Promise.all(stations.map((station) => station.stop()))
  }, 120_000)
})
