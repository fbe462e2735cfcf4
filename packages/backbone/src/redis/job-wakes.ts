import { createHash } from 'node:crypto'
import type { Database } from '@busbar/store'
import { Queue, Worker } from 'bullmq'
import type { Logger } from 'pino'
import type { Job, JobWakes } from '../ports/job-wakes.js'
import { jobKey, startSweep } from '../shared/jobs.js'
import type { BackboneMetrics } from '../shared/metrics.js'

export interface BullJobWakesOptions {
  redisUrl: string
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
  const { redisUrl, prefix, log, metrics } = options
  const queue = new Queue(queueName, {
    prefix,
    connection: { url: redisUrl, enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 1000 },
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    skipWaitingForReady: true,
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
        connection: { url: redisUrl, maxRetriesPerRequest: null },
      })
      worker.on('error', (cause) => log.warn({ err: cause }, 'job worker'))
      return {
        stop: async () => {
          await worker.close()
          await sweep.stop()
        },
      }
    },
    close: () => queue.close(),
  }
}

/** With the due time, for BullMQ ignores a job whose id it knows, and a job may be moved. */
function wakeId(job: Job): string {
  return createHash('sha256')
    .update(`${jobKey(job)}@${job.dueAt.getTime()}`)
    .digest('base64url')
}
