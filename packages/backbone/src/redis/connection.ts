import { UnavailableError } from '@busbar/store'
import { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import type { BackboneMetrics } from '../shared/metrics.js'
import { sharedMetric } from '../shared/registry.js'

export interface RedisAddress {
  /** redis:// or, over TLS, rediss://; user, password and database in it. */
  url: string
  /** PEM text of who signed its certificate; without it, the authorities that Node knows. */
  ca?: string
}

/** Longest wait for an answer of Redis. */
export const redisTimeoutMs = 1000

/** When a connection is given up, for its other end may be gone without a word. */
interface Patience {
  /** How often it is asked for a word. */
  askEveryMs: number
  /** How many times in a row nothing came. */
  unheard: number
}

/** Within 500 ms: whoever waits for a command is to know within a second that it failed. */
const patienceOfRequests: Patience = { askEveryMs: 100, unheard: 4 }

/** It holds a subscription for each station, all to be told again. */
const patienceOfSubscriber: Patience = { askEveryMs: 1000, unheard: 3 }

const reconnectDelayMs = (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 1000)

/**
 * For requests: refused at once while Redis is away, and never sent a second time, for a command that is published
 * twice would be executed twice.
 */
export function openRequests(address: RedisAddress, log: Logger, { pipelining = true } = {}): Redis {
  const redis = new Redis(address.url, {
    ...tlsOf(address),
    enableOfflineQueue: false,
    enableAutoPipelining: pipelining,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: redisTimeoutMs,
    connectTimeout: 2000,
    retryStrategy: reconnectDelayMs,
    lazyConnect: true,
  })
  redis.on('error', (cause) => log.warn({ err: cause }, 'Redis'))
  giveUpWhenSilent(redis, patienceOfRequests)
  return redis
}

/** For subscriptions: what is subscribed is kept by who subscribed. */
export function openSubscriber(address: RedisAddress, log: Logger): Redis {
  const redis = new Redis(address.url, {
    ...tlsOf(address),
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    // What was asked on a connection that ended is answered: nobody may wait for the next one.
    maxRetriesPerRequest: 0,
    connectTimeout: 2000,
    retryStrategy: reconnectDelayMs,
    lazyConnect: true,
  })
  redis.on('error', (cause) => log.warn({ err: cause }, 'Redis'))
  giveUpWhenSilent(redis, patienceOfSubscriber)
  return redis
}

/**
 * Ends a connection that brings nothing, not even the answers asked for; then requests fail at once until Redis answers
 * over another. What counts are turns of our event loop, between which is read what has come: a process that stood still
 * takes nobody for silent.
 */
function giveUpWhenSilent(redis: Redis, { askEveryMs, unheard }: Patience): void {
  let [heard, turns] = [0, 0]
  const asking = setInterval(() => {
    // At `connect` it is asked by ioredis whether it is ready.
    const isOpen = redis.status === 'connect' || redis.status === 'ready'
    const bytes = isOpen ? redis.stream.bytesRead : 0
    turns = isOpen && bytes === heard ? turns + 1 : 0
    heard = bytes
    if (turns >= unheard) redis.stream.destroy(new Error('Redis has fallen silent'))
    // A failure ends the connection, and is heard of there.
    else if (redis.status === 'ready') redis.ping().catch(() => {})
  }, askEveryMs)
  redis.on('end', () => clearInterval(asking))
}

export const tlsOf = ({ ca }: RedisAddress) => (ca === undefined ? {} : { tls: { ca } })

/** @throws UnavailableError for whatever keeps Redis from answering */
export async function request<T>(metrics: BackboneMetrics, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    // An error of a script is ours; everything else is a connection that fails, or an answer that does not come.
    if (cause instanceof Error && cause.name === 'ReplyError' && !/^(LOADING|READONLY|OOM|BUSY)/.test(cause.message)) {
      throw cause
    }
    metrics.redisFailures.inc()
    throw new UnavailableError(`Redis: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

/** Asks Redis whenever the metrics are read: a connection that stands says little. */
export function showRedis(redis: Redis, registry: Registry): void {
  const name = 'busbar_redis_available'
  const ask = async () => (await redis.ping()) === 'PONG'
  sharedMetric(registry, name, () => {
    const help = '1 while Redis answers'
    return new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        this.set((await ask().catch(() => false)) ? 1 : 0)
      },
    })
  })
}
