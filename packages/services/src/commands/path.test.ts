import {
  type Backbone,
  type ChannelListener,
  type ChannelMessage,
  openEmbeddedBackbone,
  stationChannel,
  type Verdict,
  verdictsChannel,
} from '@busbar/backbone'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDueJobs } from '../pipeline/due-jobs.js'
import { runService } from '../pipeline/run-service.js'
import { createCommandIntake } from './intake.js'
import { createCommandsService } from './service.js'
import { vault } from './testing.js'

const log = pino({ level: 'silent' })
const stops: (() => Promise<unknown>)[] = []
let store: TestDatabase
let backbone: Backbone
let poke: () => void

beforeAll(async () => {
  store = await createTestDatabase()
  const metrics = new Registry()
  const { database } = store
  backbone = await openEmbeddedBackbone({ database, partitions: 4, topicPrefix: 'busbar', log, metrics })
  const ports = { database, backbone, vault, log, metrics }
  const service = await runService(createCommandsService(ports), ports)
  const due = await startDueJobs(ports)
  const sender = backbone.outbox.startApiSender()
  poke = sender.poke
  stops.push(
    sender.stop,
    due.stop,
    service.stop,
    () => backbone.close(),
    () => store.drop(),
  )
})
afterAll(async () => {
  for (const stop of stops) await stop()
})

/** A gateway with one station: it owns it, and answers every command at once. */
async function connectStation(stationId: string, answer: (message: ChannelMessage) => object | null) {
  const registered = await backbone.ownership.register(stationId, {
    connectionId: 'connection-1',
    gatewayId: 'gateway-1',
    protocol: 'ocpp1.6',
    proven: { profile: 1, at: Date.now() },
    profileSetAt: null,
  })
  if ('boundTo' in registered) throw new Error('refused')
  const { epoch } = registered
  const commands: ChannelMessage[] = []
  const listener: ChannelListener = {
    receive(message) {
      if (message.kind !== 'command' || message.epoch !== epoch) return
      commands.push(message)
      const word = answer(message)
      if (!word) return
      const { commandId, callIndex } = message
      void backbone.log.append({
        topic: backbone.topics.outcomes,
        key: stationId,
        value: JSON.stringify({ commandId, callIndex, ...word, at: new Date().toISOString(), late: false }),
        headers: { type: 'outcome', station: stationId, epoch: String(epoch), receivedAt: new Date().toISOString() },
      })
    },
  }
  await backbone.channels.subscribe(stationChannel(stationId), listener)
  stops.unshift(() => backbone.channels.unsubscribe(stationChannel(stationId), listener))
  return commands
}

/** What the API does for `?wait=`. */
async function send(stationId: string, expiresAt?: Date): Promise<Verdict> {
  const intake = createCommandIntake({ vault, backbone })
  const prepared = intake.prepare({
    stationId,
    protocol: 'ocpp2.0.1',
    action: 'ClearCache',
    payload: {},
    idempotencyKey: crypto.randomUUID(),
    requestedBy: 'api-key-1',
    actor: 'operator',
    ...(expiresAt && { expiresAt }),
  })
  if (prepared.kind === 'invalid') throw new Error('refused')
  let resolve: (verdict: Verdict) => void = () => {}
  const promise = new Promise<Verdict>((done) => {
    resolve = done
  })
  const listener: ChannelListener = {
    receive(message) {
      if (message.kind !== 'verdicts') return
      for (const verdict of message.verdicts) if (verdict.commandId === prepared.id) resolve(verdict)
    },
  }
  await backbone.channels.subscribe(verdictsChannel, listener)
  await store.database.commit([intake.record([prepared])])
  poke()
  const verdict = await promise
  await backbone.channels.unsubscribe(verdictsChannel, listener)
  return verdict
}

test('commands run through log, service, channel and back, each once and each to its verdict', async () => {
  const commands = await connectStation('CP-1', () => ({ outcome: 'result', payload: { status: 'Accepted' } }))
  const verdicts = await Promise.all(Array.from({ length: 200 }, () => send('CP-1')))
  expect(new Set(verdicts.map(({ status }) => status))).toEqual(new Set(['accepted']))
  expect(commands).toHaveLength(200)
})

test('a station that is not connected is known at once', async () => {
  expect(await send('CP-nobody')).toMatchObject({ status: 'undeliverable', response: null })
})

test('results and events are on the log', async () => {
  const seen: string[] = []
  const tail = await backbone.log.tail({
    topics: [backbone.topics.commandResults, backbone.topics.events],
    from: { last: 0 },
    onRecords: (records) => seen.push(...records.filter(({ key }) => key === 'CP-2').map(({ value }) => String(value))),
  })
  await connectStation('CP-2', () => ({ outcome: 'error', error: { code: 'InternalError', description: 'no' } }))
  await send('CP-2')
  await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(2)
  await tail.stop()
  expect(seen.map((text) => JSON.parse(text))).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ type: 'busbar.command.completed.v1', source: '/busbar/stations/CP-2' }),
      expect.objectContaining({
        stationId: 'CP-2',
        status: 'error',
        error: { code: 'InternalError', description: 'no' },
      }),
    ]),
  )
})
