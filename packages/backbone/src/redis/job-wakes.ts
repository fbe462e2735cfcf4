import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@busbar/store'
import { Queue, Worker } from 'bullmq'
import type { Logger } from 'pino'
import type { Job, JobWakes } from '../ports/job-wakes.js'
import { startSweep } from '../shared/jobs.js'
import type { BackboneMetrics } from '../shared/metrics.js'
import { openRequests, type RedisAddress, redisTimeoutMs, tlsOf } from './connection.js'

export interface BullJobWakesOptions {
  redis: RedisAddress
  prefix: string
  database: Database
  log: Logger
  metrics: BackboneMetrics
}

const queueName = 'job-wakes'

/** Jobs of so short a time share a wake: a wake is dearer than what many of them ask for. */
const slotMs = 100

/**
 * Wakes by BullMQ. A wake carries nothing: whoever gets it looks at table job, where the truth is; so a wake that is
 * lost costs a second, and one that comes twice finds nothing.
 */
export function createBullJobWakes(options: BullJobWakesOptions): JobWakes & { close(): Promise<void> } {
  const { redis: address, prefix, log, metrics } = options
  const redis = openRequests(address, log, { pipelining: false })
  redis.connect().catch(() => {})
  const queue = new Queue(queueName, {
    prefix,
    connection: redis,
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  })
  queue.on('error', (cause) => log.warn({ err: cause }, 'job queue'))

  /** Ordered here, and still to come. */
  const ordered = new Set<number>()

  return {
    schedule: async (jobs) => {
      const now = Date.now()
      for (const slot of ordered) if (slot <= now) ordered.delete(slot)
      const slots = [...new Set(jobs.map(toSlot))].filter((slot) => !ordered.has(slot))
      if (slots.length === 0) return
      // BullMQ ignores a wake whose id it knows: another process has ordered it.
      const wakes = slots.map((slot) => ({
        name: 'wake',
        data: {},
        opts: { jobId: `at-${slot}`, delay: Math.max(0, slot - now) },
      }))
      try {
        // BullMQ would wait for Redis to return, and the batch that ordered these wakes with it.
        if (redis.status !== 'ready') throw new Error('Redis is away')
        await queue.addBulk(wakes)
        for (const slot of slots) ordered.add(slot)
      } catch (cause) {
        metrics.wakesMissed.inc(wakes.length)
        log.warn({ err: cause }, 'wakes could not be ordered; the sweep finds these jobs')
      }
    },
    start: async (onDue) => {
      const sweep = startSweep(onDue, options)
      const worker = new Worker(queueName, async () => sweep.poke(), {
        prefix,
        connection: { url: address.url, ...tlsOf(address), maxRetriesPerRequest: null },
      })
      worker.on('error', (cause) => log.warn({ err: cause }, 'job worker'))
      // Redis may be away; then the worker connects when it returns.
      await Promise.race([worker.waitUntilReady().catch(() => {}), sleep(redisTimeoutMs)])
      return {
        stop: async () => {
          // By force, for a Redis that is silent would be waited for; a wake that is cut off is found by the sweep.
          await worker.close(true)
          await sweep.stop()
        },
      }
    },
    close: async () => {
      // While Redis is away the queue would wait for it.
      if (redis.status === 'ready') await queue.close()
      redis.disconnect()
    },
  }
}

/** Its end in ms since 1970, so that no wake comes before its jobs are due. */
const toSlot = ({ dueAt }: Job): number => Math.ceil(dueAt.getTime() / slotMs) * slotMs
