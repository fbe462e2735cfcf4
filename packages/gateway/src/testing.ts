import { once } from 'node:events'
import type { ConnectionOptions } from 'node:tls'
import { type Backbone, type CallAnswer, type ChannelMessage, type CommandMessage, topicNames } from '@busbar/backbone'
import type { Payload } from '@busbar/ocpp'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import type { GatewayConfig } from './config.js'
import { FakeDatabase, FakeLog, FakeRedis, stationRecord, testPassword, testVault } from './fakes.js'
import { type Gateway, startGateway } from './gateway.js'

export { FakeDatabase, stationRecord, testPassword, testVault } from './fakes.js'

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
  /** The same over TLS. */
  secureUrl: string
  /** Sum over a metric's label sets, those that match. */
  metric(name: string, labels?: Record<string, string>): Promise<number>
  connect(options?: TestStationOptions): Promise<TestStation>
  stop(): Promise<void>
}

/**
 * A gateway on fakes with one accepted station, CP1; it stops when the test is over.
 * @param shared what a second gateway has in common with a first
 * @param fill what the database holds before the start
 */
export async function startTestGateway(
  config: Partial<GatewayConfig> = {},
  shared: Partial<Pick<TestGateway, 'log' | 'redis' | 'database'>> = {},
  fill: (database: FakeDatabase) => void = () => {},
): Promise<TestGateway> {
  const log = shared.log ?? new FakeLog()
  const redis = shared.redis ?? new FakeRedis()
  const database = shared.database ?? new FakeDatabase()
  if (!shared.database) database.stations.push(stationRecord())
  fill(database)
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
  const secureUrl = `wss://127.0.0.1:${gateway.tlsPort}/ocpp`
  const stations: TestStation[] = []
  const stop = async () => {
    log.isHeld = false
    log.release()
    for (const station of stations) station.socket.terminate()
    await gateway.stop()
  }
  onTestFinished(stop)
  return {
    gateway,
    log,
    redis,
    database,
    metrics,
    url,
    secureUrl,
    async metric(name, labels = {}) {
      const { values } = (await metrics.getSingleMetric(name)?.get()) ?? { values: [] }
      const matching = values.filter((each) =>
        Object.entries(labels).every(([key, value]) => each.labels[key] === value),
      )
      return matching.reduce((sum, each) => sum + each.value, 0)
    },
    async connect(options) {
      const station = await TestStation.connect(options?.tls ? secureUrl : url, options)
      stations.push(station)
      return station
    },
    stop,
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
  /** Over TLS: whom it trusts, what it shows, what it offers. */
  tls?: ConnectionOptions
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
      ...options.tls,
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
