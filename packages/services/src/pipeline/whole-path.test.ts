import { type Backbone, type ChannelMessage, openEmbeddedBackbone, stationChannel } from '@busbar/backbone'
import { createTestDatabase, type TestDatabase, Vault } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createJournalService } from '../journal/service.js'
import { createStationsService } from '../stations/service.js'
import { stationsDeps } from '../stations/testing.js'
import { deadLetterStatement, replayDeadLetters } from './dead-letter.js'
import { startDueJobs } from './due-jobs.js'
import { runService } from './run-service.js'
import { answer, type Ports, type Service } from './service.js'
import { loggedCall } from './testing.js'

let store: TestDatabase
let ports: Ports
let backbone: Backbone
let running: { stop(): Promise<void> }[]

beforeEach(async () => {
  store = await createTestDatabase()
  running = []
  const log = pino({ level: 'silent' })
  const metrics = new Registry()
  backbone = await openEmbeddedBackbone({
    database: store.database,
    partitions: 4,
    topicPrefix: 'busbar',
    log,
    metrics,
  })
  ports = { database: store.database, backbone, vault: new Vault('a master secret for tests only'), log, metrics }
  await query("INSERT INTO station (id, folded_id, updated_at) VALUES ('CP-1', 'cp-1', now())")
})

afterEach(async () => {
  await Promise.all(running.map((each) => each.stop()))
  await backbone.close()
  await store.drop()
})

const waitingForLocks = `SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event = 'transactionid'`
const query = (text: string) => store.database.query<Record<string, unknown>>({ text, values: [] })
const start = async <State>(service: Service<State>) => running.push(await runService(service, ports))
const eventually = (check: () => Promise<void> | void) => vi.waitFor(check, { timeout: 10_000, interval: 20 })

const boot = (sequence: number) => {
  const chargingStation = { vendorName: 'ACME', model: 'One' }
  const extraHeaders = { sequence: String(sequence) }
  const { topic, key, value, headers } = loggedCall(
    'BootNotification',
    { reason: 'PowerUp', chargingStation },
    { extraHeaders },
  )
  return { topic, key, value, headers }
}

async function listen(): Promise<ChannelMessage[]> {
  const heard: ChannelMessage[] = []
  await backbone.channels.subscribe(stationChannel('CP-1'), { receive: (message) => heard.push(message) })
  return heard
}

test('a boot is decided, stored, answered, told as an event and journaled, once', async () => {
  const events: unknown[] = []
  const tail = await backbone.log.tail({
    topics: [backbone.topics.events],
    from: 'beginning',
    onRecords: (records) => events.push(...records.map((record) => JSON.parse(record.value.toString()))),
  })
  const heard = await listen()
  await start(createStationsService(stationsDeps))
  await start(createJournalService())

  await backbone.log.append(boot(1))

  await eventually(() => {
    expect(heard).toMatchObject([{ kind: 'answer', sequence: 1, answer: { result: { status: 'Accepted' } } }])
    expect(events).toMatchObject([{ type: 'busbar.station.booted.v1', source: '/busbar/stations/CP-1' }])
  })
  expect(await query('SELECT boot_count, registration FROM station_state')).toEqual([
    { boot_count: 1, registration: 'Accepted' },
  ])
  await eventually(async () =>
    expect(await query('SELECT action FROM journal_frame')).toEqual([{ action: 'BootNotification' }]),
  )
  await eventually(async () => expect(await query('SELECT id FROM outbox')).toEqual([]))
  await tail.stop()
})

test('a worker that starts again goes on where the last one committed', async () => {
  const heard = await listen()
  const first = await runService(createStationsService(stationsDeps), ports)
  await backbone.log.append(boot(1))
  await eventually(() => expect(heard).toHaveLength(1))
  await first.stop()
  await backbone.log.append(boot(2))

  await start(createStationsService(stationsDeps))

  await eventually(() => expect(heard).toHaveLength(2))
  expect(await query('SELECT boot_count FROM station_state')).toEqual([{ boot_count: 2 }])
})

test('a dead letter is decided after the bug is mended and the letter replayed', async () => {
  const heard = await listen()
  const stations = createStationsService(stationsDeps)
  let isMended = false
  await start({
    ...stations,
    decide: (record, state, context) => {
      if (!isMended && record.sequence === 1) throw new Error('bug')
      return stations.decide(record, state, context)
    },
  })
  await Promise.all([backbone.log.append(boot(1)), backbone.log.append(boot(2))])
  await eventually(() => expect(heard).toMatchObject([{ sequence: 2 }]))
  const [letter] = await query('SELECT id FROM dead_letter')
  const sender = backbone.outbox.startApiSender()
  running.push(sender)

  isMended = true
  expect(await replayDeadLetters(ports, [String(letter?.id)])).toEqual([letter?.id])
  sender.poke()

  await eventually(() => expect(heard).toMatchObject([{ sequence: 2 }, { sequence: 1 }]))
  expect(await query('SELECT replayed_at IS NOT NULL AS replayed FROM dead_letter')).toEqual([{ replayed: true }])
  expect(await replayDeadLetters(ports, ['00000000-0000-7000-8000-000000000000'])).toEqual([])
})

test('a replay that comes while the letter is discarded finds it settled, and nothing leaves', async () => {
  const record = { ...loggedCall('Heartbeat', {}), offset: 1n }
  await store.database.commit([deadLetterStatement('stations', record, new Error('bug'), new Date())])
  const [letter] = await query('SELECT id FROM dead_letter')
  const audited: string[] = []
  const replay = () =>
    replayDeadLetters(ports, [String(letter?.id)], (ids) => {
      audited.push(...ids)
      return []
    })

  const going = await store.database.session(async (discarding) => {
    await discarding.query({ text: 'BEGIN', values: [] })
    await discarding.query({ text: 'UPDATE dead_letter SET discarded_at = now()', values: [] })
    const replaying = replay()
    await eventually(async () => expect(await query(waitingForLocks)).toHaveLength(1))
    await discarding.query({ text: 'COMMIT', values: [] })
    return replaying
  })

  expect(going).toEqual([])
  expect(audited).toEqual([])
  expect(await query('SELECT replayed_at FROM dead_letter')).toEqual([{ replayed_at: null }])
  expect(await query('SELECT id FROM outbox')).toEqual([])
})

test('a due job comes back to its service as a record, and is gone once it is done', async () => {
  const done: unknown[] = []
  const job = { service: 'stations' as const, kind: 'remind', key: 'k', stationId: 'CP-1', dueAt: new Date() }
  await start<null>({
    name: 'stations',
    topics: (names) => [names.lane('stations')],
    load: async () => null,
    decide: (record) => {
      if (record.type !== 'due') return answer({}, { jobs: { put: [job], remove: [] } })
      done.push(record.payload)
      return { jobs: { put: [], remove: [job] } }
    },
    save: () => [],
  })
  running.push(await startDueJobs(ports))

  await backbone.log.append(boot(1))

  await eventually(() => expect(done).toEqual([{ kind: 'remind', key: 'k' }]))
  await eventually(async () => expect(await query('SELECT key FROM job')).toEqual([]))
})
