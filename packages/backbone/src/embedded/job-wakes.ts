import type { Database } from '@busbar/store'
import type { Logger } from 'pino'
import type { JobWakes } from '../ports/job-wakes.js'
import { type Sweep, startSweep } from '../shared/jobs.js'
import type { BackboneMetrics } from '../shared/metrics.js'

/** setTimeout takes no longer delay; the sweep finds what is due later. */
const longestDelayMs = 2 ** 31 - 1

/** Wakes by timers of this process. */
export function createLocalJobWakes(deps: {
  database: Database
  log: Logger
  metrics: BackboneMetrics
}): JobWakes & { close(): Promise<void> } {
  const sweeps = new Set<Sweep>()
  const timers = new Set<NodeJS.Timeout>()
  return {
    schedule: async (jobs) => {
      const now = Date.now()
      // Jobs of one moment share a timer.
      for (const delayMs of new Set(jobs.map((job) => Math.max(0, job.dueAt.getTime() - now)))) {
        if (delayMs > longestDelayMs) continue
        const timer = setTimeout(() => {
          timers.delete(timer)
          for (const sweep of sweeps) sweep.poke()
        }, delayMs)
        timers.add(timer)
      }
    },
    start: async (onDue) => {
      const sweep = startSweep(onDue, deps)
      sweeps.add(sweep)
      return {
        stop: async () => {
          sweeps.delete(sweep)
          await sweep.stop()
        },
      }
    },
    close: async () => {
      for (const timer of timers) clearTimeout(timer)
    },
  }
}
