import { once } from 'node:events'
import {
  type Backbone,
  type CallAnswer,
  type ChannelMessage,
  type CommandMessage,
  type EventLog,
  type OutgoingRecord,
  type Ownership,
  type StationChannels,
  stationChannel,
  topicNames,
} from '@busbar/backbone'
import type { Payload } from '@busbar/ocpp'
import { type Database, UnavailableError, Vault } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { WebSocket } from 'ws'
import type { GatewayConfig } from './config.js'
import { type Gateway, startGateway } from './gateway.js'
import type { StationRecord } from './upgrade/station-directory.js'

/** A log in memory that can be stopped and broken. */
export class FakeLog implements EventLog {
  readonly id = 'fake'
  readonly records: OutgoingRecord[] = []
  available = true
  /** Set: appends wait until `release`. */
  isHeld = false
  /** Called for every record once it is in. */
  onRecord: (record: OutgoingRecord) => void = () => {}
  #held: { record: OutgoingRecord; resolve: () => void; reject: (cause: unknown) => void }[] = []

  append(record: OutgoingRecord): Promise<void> {
    if (!this.available) return Promise.reject(new UnavailableError('The log is away'))
    return new Promise((resolve, reject) => {
      this.#held.push({ record, resolve, reject })
      if (!this.isHeld) this.release()
    })
  }

  get heldCount(): number {
    return this.#held.length
  }

  /** Takes in what waits, all of it or the first `count`. */
  release(count = this.#held.length): void {
    for (const { record, resolve } of this.#held.splice(0, count)) {
      this.records.push(record)
      resolve()
      this.onRecord(record)
    }
  }

  /** Away, and what waits is refused. */
  break(): void {
    this.available = false
    for (const { reject } of this.#held.splice(0)) reject(new UnavailableError('The log went away'))
  }

  ofType(type: string): OutgoingRecord[] {
    return this.records.filter((record) => record.headers.type === type)
  }

  consume(): Promise<never> {
    throw new Error('The gateway consumes nothing')
  }

  tail(): Promise<never> {
    throw new Error('The gateway tails nothing')
  }

  async close(): Promise<void> {}
}

/** Channels and ownership in memory, with a switch for "Redis is away". */
export class FakeRedis {
  isAway = false
  readonly owners = new Map<string, { epoch: number; connectionId: string; gatewayId: string }>()
  readonly released: string[] = []
  readonly #listeners = new Map<string, Set<(message: ChannelMessage) => void>>()
  #epoch = 1_000

  readonly channels: StationChannels = {
    subscribe: async (channel, listener) => {
      const listeners = this.#listeners.get(channel) ?? new Set()
      this.#listeners.set(channel, listeners.add(listener))
      return async () => {
        listeners.delete(listener)
      }
    },
    publish: async (messages) => {
      this.#failIfAway()
      return messages.map(({ channel, message }) => this.#publish(channel, message))
    },
  }

  readonly ownership: Ownership = {
    register: async (stationId, connectionId, gatewayId) => {
      this.#failIfAway()
      const epoch = ++this.#epoch
      this.owners.set(stationId, { epoch, connectionId, gatewayId })
      this.#publish(stationChannel(stationId), { kind: 'takeover', epoch, connectionId })
      return { epoch }
    },
    unregister: async (stationId, epoch) => {
      this.#failIfAway()
      return this.owners.get(stationId)?.epoch === epoch && this.owners.delete(stationId)
    },
    dispatch: async (stationId, command) => {
      this.#failIfAway()
      const owner = this.owners.get(stationId)
      if (!owner) return { receivers: 0, epoch: null, gatewayId: null }
      const receivers = this.#publish(stationChannel(stationId), { ...command, epoch: owner.epoch } as CommandMessage)
      return { receivers, epoch: owner.epoch, gatewayId: owner.gatewayId }
    },
    renewLease: async () => this.#failIfAway(),
    takeLapsed: async () => [],
    releaseGateway: async (gatewayId) => {
      this.released.push(gatewayId)
    },
  }

  /** As a message of a service or another gateway. */
  tell(stationId: string, message: ChannelMessage): number {
    return this.#publish(stationChannel(stationId), message)
  }

  listeners(stationId: string): number {
    return this.#listeners.get(stationChannel(stationId))?.size ?? 0
  }

  #publish(channel: string, message: ChannelMessage): number {
    const listeners = [...(this.#listeners.get(channel) ?? [])]
    for (const listener of listeners) listener(structuredClone(message))
    return listeners.length
  }

  #failIfAway(): void {
    if (this.isAway) throw new UnavailableError('Redis is away')
  }
}

/** Answers the directory's two statements out of a list of stations. */
export class FakeDatabase {
  readonly stations: StationRecord[] = []
  isAway = false
  /** How long an answer takes. */
  delayMs = 0
  queries = 0

  readonly database = {
    query: async (statement: { text: string; values: unknown[] }) => {
      this.queries++
      if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs))
      if (this.isAway) throw new UnavailableError('Postgres is away')
      const [first] = statement.values
      if (statement.text.includes('INSERT INTO station')) {
        this.stations.push(stationRecord({ id: String(first), securityProfile: 0, registration: null, secrets: [] }))
        return []
      }
      return this.stations
        .filter(({ id }) => (first as string[]).includes(id.toLowerCase()))
        .map((station) => ({ ...station, foldedId: station.id.toLowerCase() }))
    },
  } as unknown as Database
}

export function stationRecord(overrides: Partial<StationRecord> = {}): StationRecord {
  return {
    id: 'CP1',
    registrationPolicy: 'accept',
    heartbeatIntervalSeconds: 300,
    acceptWithoutBoot: false,
    securityProfile: 1,
    protocols: [],
    protocolWithoutHeader: null,
    switches: {},
    registration: 'Accepted',
    secrets: [{ slot: 'current', hash: testVault.hashPassword(testPassword) }],
    ...overrides,
  }
}

export const testPassword = 'correct horse battery'
export const testVault = new Vault('a master secret for tests only, of no worth')

/** Delays short enough for tests. */
const fast: Partial<GatewayConfig> = {
  host: '127.0.0.1',
  port: 0,
  safeAnswerAfterMs: 80,
  answerWithinMs: 400,
  callTimeoutMs: 120,
  tickMs: 5,
  finishWithinMs: 500,
  drainSeconds: 1,
}

export interface TestGateway {
  gateway: Gateway
  log: FakeLog
  redis: FakeRedis
  database: FakeDatabase
  metrics: Registry
  /** Up to the station's id. */
  url: string
  /** Sum over a metric's label sets, those that match. */
  metric(name: string, labels?: Record<string, string>): Promise<number>
  connect(options?: TestStationOptions): Promise<TestStation>
  stop(): Promise<void>
}

/**
 * A gateway on fakes with one accepted station, CP1.
 * @param shared what a second gateway has in common with a first
 */
export async function startTestGateway(
  config: Partial<GatewayConfig> = {},
  shared: Partial<Pick<TestGateway, 'log' | 'redis' | 'database'>> = {},
): Promise<TestGateway> {
  const log = shared.log ?? new FakeLog()
  const redis = shared.redis ?? new FakeRedis()
  const database = shared.database ?? new FakeDatabase()
  if (!shared.database) database.stations.push(stationRecord())
  const metrics = new Registry()
  const backbone = {
    log,
    channels: redis.channels,
    ownership: redis.ownership,
    topics: topicNames('test'),
  } as Partial<Backbone> as Backbone
  const gateway = await startGateway(
    { ...fast, ...config },
    { database: database.database, backbone, vault: testVault, log: pino({ level: 'silent' }), metrics },
  )
  const url = `ws://127.0.0.1:${gateway.port}/ocpp`
  const stations: TestStation[] = []
  return {
    gateway,
    log,
    redis,
    database,
    metrics,
    url,
    async metric(name, labels = {}) {
      const { values } = (await metrics.getSingleMetric(name)?.get()) ?? { values: [] }
      const matching = values.filter((each) =>
        Object.entries(labels).every(([key, value]) => each.labels[key] === value),
      )
      return matching.reduce((sum, each) => sum + each.value, 0)
    },
    async connect(options) {
      const station = await TestStation.connect(url, options)
      stations.push(station)
      return station
    },
    async stop() {
      log.isHeld = false
      log.release()
      for (const station of stations) station.socket.terminate()
      await gateway.stop()
    },
  }
}

export interface TestStationOptions {
  id?: string
  /** null sends no credentials. */
  password?: string | Buffer | null
  username?: string
  /** Empty sends no header. */
  protocols?: string[]
  headers?: Record<string, string>
  /** Instead of the id in the URL. */
  path?: string
  compressed?: boolean
  autoPong?: boolean
}

/** A refused upgrade. */
export class Refused extends Error {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>

  constructor(status: number, headers: NodeJS.Dict<string | string[]>) {
    super(`refused with ${status}`)
    this.status = status
    this.headers = headers
  }
}

/** A bare socket that remembers what it got. */
export class TestStation {
  readonly socket: WebSocket
  readonly frames: unknown[][] = []
  readonly closed: Promise<{ code: number; reason: string }>
  #wake: () => void = () => {}

  static async connect(url: string, options: TestStationOptions = {}): Promise<TestStation> {
    const { id = 'CP1', password = testPassword, username = id, protocols = ['ocpp1.6'], headers = {} } = options
    const bytes = password === null ? null : Buffer.concat([Buffer.from(`${username}:`), Buffer.from(password)])
    const socket = new WebSocket(`${url}/${options.path ?? encodeURIComponent(id)}`, protocols, {
      headers: { ...(bytes && { Authorization: `Basic ${bytes.toString('base64')}` }), ...headers },
      perMessageDeflate: options.compressed ?? false,
      autoPong: options.autoPong ?? true,
    })
    const station = new TestStation(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
      socket.once('unexpected-response', (_request, response) => {
        reject(new Refused(response.statusCode ?? 0, response.headers))
        socket.on('error', () => {})
        response.destroy()
      })
    })
    return station
  }

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString('utf8')))
      this.#wake()
    })
    this.closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }))
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }

  call(messageId: string, action: string, payload: object): void {
    this.send([2, messageId, action, payload])
  }

  /** The frame with this message id, once it is there. */
  async answer(messageId: string, withinMs = 2_000): Promise<unknown[]> {
    return await this.first((frame) => frame[1] === messageId && frame[0] !== 2, withinMs)
  }

  /** The code of the CALLERROR it was answered with; null for a CALLRESULT. */
  async errorCode(messageId: string): Promise<unknown> {
    const [type, , code] = await this.answer(messageId)
    return type === 4 ? code : null
  }

  async first(matches: (frame: unknown[]) => boolean, withinMs = 2_000): Promise<unknown[]> {
    const deadline = Date.now() + withinMs
    for (;;) {
      const found = this.frames.find(matches)
      if (found) return found
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`No such frame; got ${JSON.stringify(this.frames)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

/** A service: answers every call that waits for a decision. */
export function decideWith(
  { log, redis }: Pick<TestGateway, 'log' | 'redis'>,
  decide: (action: string, payload: Payload) => CallAnswer | null,
): void {
  log.onRecord = ({ headers, value }) => {
    if (headers.type !== 'call' || headers.answer !== 'decision') return
    const [, , action, payload] = JSON.parse(value.toString())
    const answer = decide(action, payload)
    if (answer) setImmediate(() => redis.tell(headers.station ?? '', toAnswer(headers, answer)))
  }
}

export function toAnswer(headers: Record<string, string>, answer: CallAnswer): ChannelMessage {
  return { kind: 'answer', connectionId: headers.connection ?? '', sequence: Number(headers.sequence), answer }
}

export function commandMessage(overrides: Partial<CommandMessage> = {}): Omit<CommandMessage, 'epoch'> {
  return {
    kind: 'command',
    commandId: 'command-1',
    callIndex: 0,
    expiresAt: new Date(Date.now() + 30_000).toISOString(),
    action: 'ClearCache',
    payload: {},
    ...overrides,
  }
}

/** Waits until it is so. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 2_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Still not so after ${withinMs} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
