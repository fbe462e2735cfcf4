import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { openRequests, type RedisAddress } from './connection.js'

const answersWithinMs = 5_000

/** What Redis says to who may not ask. */
const refusal = /^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH)/

/**
 * Whether it lets in anybody, or loses what it was told.
 * @returns null while it is away
 * @throws Error when it does not let us in, or is a node of a Redis Cluster: what one of our scripts touches would lie on
 *   several of its nodes
 */
export async function findRedisWeaknesses(address: RedisAddress, log: Logger): Promise<string[] | null> {
  const info = await readInfo(address, log)
  if (info === null) return null
  const setting = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  if (setting('cluster_enabled') === '1') throw new Error('is a node of a Redis Cluster; Busbar needs a plain Redis')
  const policy = setting('maxmemory_policy')
  return [
    ...((await letsInAnybody(address, log)) ? ['lets in whoever comes, without a password'] : []),
    ...(policy === 'noeviction' ? [] : [`has maxmemory-policy ${policy}, not noeviction: it drops what it was told`]),
    ...(setting('aof_enabled') === '1' ? [] : ['has appendonly off: it forgets all when it ends']),
  ]
}

async function readInfo(address: RedisAddress, log: Logger): Promise<string | null> {
  const redis = openRequests(address, log)
  try {
    await connected(redis)
    return await redis.info()
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    if (refusal.test(message)) throw new Error(`does not let us in: ${message}`, { cause })
    log.warn({ err: cause }, 'Redis could not be asked how safe it is')
    return null
  } finally {
    redis.disconnect()
  }
}

/** @throws what Redis said, or what kept us from it; ioredis itself goes on trying */
async function connected(redis: Redis): Promise<void> {
  const failed = once(redis, 'error').then(([cause]) => Promise.reject(cause))
  const late = sleep(answersWithinMs, undefined, { ref: false }).then(() => Promise.reject(new Error('no answer')))
  for (const either of [failed, late]) either.catch(() => {})
  await Promise.race([redis.connect(), failed, late])
}

async function letsInAnybody(address: RedisAddress, log: Logger): Promise<boolean> {
  const url = new URL(address.url)
  if (url.password === '') return true
  url.username = ''
  url.password = ''
  const redis = openRequests({ ...address, url: url.href }, log.child({}, { level: 'silent' }))
  try {
    await connected(redis)
    return true
  } catch {
    return false
  } finally {
    redis.disconnect()
  }
}
