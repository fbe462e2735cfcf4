import { type Database, deleteFrom, type Sql, sql, upsertInto } from '@busbar/store'
import type { Logger } from 'pino'
import type { Job } from '../ports/job-wakes.js'
import type { ServiceName } from '../topics.js'
import type { BackboneMetrics } from './metrics.js'

const columns = { service: 'text', kind: 'text', key: 'text', stationId: 'text', dueAt: 'timestamptz' } as const
const upsertJobs = upsertInto('job', columns, ['service', 'kind', 'key'])
const deleteJobs = deleteFrom('job', { service: 'text', kind: 'text', key: 'text' })

/** Identity of a job; length-prefixed, for its parts may hold any character. */
export const jobKey = ({ service, kind, key }: Pick<Job, 'service' | 'kind' | 'key'>): string =>
  `${service}/${kind.length}/${kind}/${key}`

/**
 * The statements that change table job, for the commit of the effects: removals first, so a job in both lists stays.
 * Of several puts of one job the last counts.
 */
export function jobStatements(put: readonly Job[], remove: readonly Pick<Job, 'service' | 'kind' | 'key'>[]): Sql[] {
  const last = new Map(put.map((job) => [jobKey(job), job]))
  return [
    ...(remove.length > 0 ? [deleteJobs(remove)] : []),
    ...(last.size > 0 ? [upsertJobs([...last.values()])] : []),
  ]
}

const sweepMs = 1000
const jobsAtOnce = 500

/** Whoever claims a job moves it: unless its owner removes it, it is handed out again after that time. */
const claimDue = sql(`
  WITH due AS (
    SELECT service, kind, key, station_id, due_at FROM job
    WHERE due_at <= now() ORDER BY due_at LIMIT ${jobsAtOnce} FOR UPDATE SKIP LOCKED
  )
  UPDATE job AS j SET due_at = now() + interval '30 s' FROM due
  WHERE j.service = due.service AND j.kind = due.kind AND j.key = due.key
  RETURNING due.*`)

interface Row {
  service: ServiceName
  kind: string
  key: string
  station_id: string
  due_at: Date
}

export interface Sweep {
  /** Looks now; a look that is under way is followed by another. */
  poke(): void
  stop(): Promise<void>
}

/** Hands out due jobs, each second and when poked. */
export function startSweep(
  onDue: (jobs: readonly Job[]) => Promise<void>,
  { database, log, metrics }: { database: Database; log: Logger; metrics: BackboneMetrics },
): Sweep {
  let state: 'idle' | 'looking' | 'poked' | 'stopped' = 'idle'
  let work: Promise<void> = Promise.resolve()

  const look = async () => {
    for (;;) {
      const rows = await database.query<Row>(claimDue())
      if (rows.length > 0) {
        metrics.jobsDue.inc(rows.length)
        for (const { due_at } of rows) metrics.jobLateness.observe(Math.max(0, Date.now() - due_at.getTime()) / 1_000)
        await onDue(rows.map(({ station_id, due_at, ...row }) => ({ ...row, stationId: station_id, dueAt: due_at })))
      }
      if (rows.length < jobsAtOnce || state === 'stopped') return
    }
  }
  const run = async () => {
    do {
      state = 'looking'
      try {
        await look()
      } catch (cause) {
        log.warn({ err: cause }, 'due jobs wait for the next sweep')
      }
    } while (isPoked())
    if (state === 'looking') state = 'idle'
  }
  // A function, because the compiler takes the state for unchanged across an await.
  const isPoked = () => state === 'poked'
  const poke = () => {
    if (state === 'looking') state = 'poked'
    if (state === 'idle') work = run()
  }
  const timer = setInterval(poke, sweepMs)
  return {
    poke,
    stop: async () => {
      clearInterval(timer)
      state = 'stopped'
      await work
    },
  }
}
