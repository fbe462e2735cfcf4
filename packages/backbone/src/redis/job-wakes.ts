import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@busbar/store'
import { Queue, Worker } from 'bullmq'
import type { Logger } from 'pino'
import type { Job, JobWakes } from '../ports/job-wakes.js'
import { jobKey, startSweep } from '../shared/jobs.js'
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

  return {
    schedule: async (jobs) => {
      if (jobs.length === 0) return
      const now = Date.now()
      const wakes = jobs.map((job) => ({
        name: 'wake',
        data: {},
        opts: { jobId: wakeId(job), delay: Math.max(0, job.dueAt.getTime() - now) },
      }))
      try {
        // BullMQ would wait for Redis to return, and the batch that ordered these wakes with it.
        if (redis.status !== 'ready') throw new Error('Redis is away')
        await queue.addBulk(wakes)
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

/** With the due time, for BullMQ ignores a job whose id it knows, and a job may be moved. */
function wakeId(job: Job): string {
  return createHash('sha256')
    .update(`${jobKey(job)}@${job.dueAt.getTime()}`)
    .digest('base64url')
}
