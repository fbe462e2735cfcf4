import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { ChannelListener, ChannelMessage, StationChannels } from '../ports/station-channels.js'
import type { BackboneMetrics } from '../shared/metrics.js'
import { redisTimeoutMs, request } from './connection.js'

export interface RedisStationChannelsOptions {
  requests: Redis
  /** A connection of its own: Redis takes no other command on it. */
  subscriber: Redis
  /** Before every channel name; deployments may share a Redis. */
  prefix: string
  log: Logger
  metrics: BackboneMetrics
}

/** In one command: few, for each stalls Redis, and not one, for each costs 24 us of CPU here and there. */
const channelsPerCommand = 1000

/** Station channels on Redis pub/sub. */
export class RedisStationChannels implements StationChannels {
  readonly #options: RedisStationChannelsOptions
  /** Lists, because nearly each has one entry, and there are as many as stations. */
  readonly #listeners = new Map<string, readonly ChannelListener[]>()
  /** What Redis was told on this connection. */
  #subscribed = new Set<string>()
  /** Channels whose listeners changed in this turn of the event loop. */
  #changed = new Set<string>()
  #syncing: Promise<void> | null = null
  /** Monotonic milliseconds; null while Redis is there. */
  #awaySince: number | null = performance.now()

  constructor(options: RedisStationChannelsOptions) {
    this.#options = options
    const { subscriber, log } = options
    subscriber.on('message', (channel: string, text: string) => this.#receive(channel, text))
    subscriber.on('close', () => {
      this.#awaySince ??= performance.now()
    })
    subscriber.on('ready', () => {
      this.#awaySince = null
      this.#subscribed = new Set()
      this.#changed = new Set(this.#listeners.keys())
      this.#scheduleSync().catch((cause) => log.warn({ err: cause }, 'channels are subscribed at the next connect'))
    })
  }

  get isAvailable(): boolean {
    const { requests, subscriber } = this.#options
    // The one that sends notices sooner that Redis is silent.
    return subscriber.status === 'ready' && requests.status === 'ready'
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<void> {
    const name = this.#options.prefix + channel
    // Not spread: that makes room for 17.
    this.#listeners.set(name, (this.#listeners.get(name) ?? []).concat(listener))
    this.#changed.add(name)
    await this.#synced()
  }

  async unsubscribe(channel: string, listener: ChannelListener): Promise<void> {
    const name = this.#options.prefix + channel
    const listeners = this.#listeners.get(name) ?? []
    const rest = listeners.filter((each) => each !== listener)
    if (rest.length === listeners.length) return
    if (rest.length > 0) {
      this.#listeners.set(name, rest)
      return
    }
    this.#listeners.delete(name)
    this.#changed.add(name)
    await this.#synced()
  }

  async publish(messages: readonly { channel: string; message: ChannelMessage }[]): Promise<number[]> {
    const { requests, prefix, metrics } = this.#options
    return request(metrics, () =>
      Promise.all(messages.map(({ channel, message }) => requests.publish(prefix + channel, JSON.stringify(message)))),
    )
  }

  /** Redis answers on this connection in order: before its pong stands all that was published before the ping. */
  async heard(): Promise<void> {
    const { subscriber, metrics } = this.#options
    await request(metrics, () => withTimeout(subscriber.ping()))
  }

  #receive(name: string, text: string): void {
    for (const listener of this.#listeners.get(name) ?? []) listener.receive(JSON.parse(text))
  }

  /** A lost connection is no failure of the caller: the next one is told everything. */
  async #synced(): Promise<void> {
    const waitedMs = this.#awaySince === null ? 0 : performance.now() - this.#awaySince
    if (!(await becomesReady(this.#options.subscriber, Math.max(0, redisTimeoutMs - waitedMs)))) return
    await this.#scheduleSync().catch(() => this.#options.metrics.redisFailures.inc())
  }

  /** One command for what changed in this turn; the next waits until it is answered. */
  #scheduleSync(): Promise<void> {
    this.#syncing ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.#syncing = null
      return this.#sync()
    })
    return this.#syncing
  }

  async #sync(): Promise<void> {
    const { subscriber } = this.#options
    const changed = [...this.#changed]
    this.#changed = new Set()
    const wanted = changed.filter((name) => this.#listeners.has(name) && !this.#subscribed.has(name))
    const unwanted = changed.filter((name) => !this.#listeners.has(name) && this.#subscribed.has(name))
    for (const name of wanted) this.#subscribed.add(name)
    for (const name of unwanted) this.#subscribed.delete(name)
    const commands: Promise<unknown>[] = []
    for (let i = 0; i < wanted.length; i += channelsPerCommand) {
      commands.push(subscriber.subscribe(...wanted.slice(i, i + channelsPerCommand)))
    }
    for (let i = 0; i < unwanted.length; i += channelsPerCommand) {
      commands.push(subscriber.unsubscribe(...unwanted.slice(i, i + channelsPerCommand)))
    }
    await Promise.all(commands)
  }
}

/** On the connection of subscriptions a command has no time-out of its own. */
function withTimeout<Result>(work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), redisTimeoutMs)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

async function becomesReady(redis: Redis, withinMs: number): Promise<boolean> {
  const isReady = () => redis.status === 'ready'
  if (isReady()) return true
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      redis.off('ready', done)
      resolve()
    }
    const timer = setTimeout(done, withinMs)
    redis.on('ready', done)
  })
  return isReady()
}
