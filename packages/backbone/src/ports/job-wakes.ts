import type { ServiceName } from '../topics.js'

/** Work with a due time. The row in table job is the truth; a wake is only a hint. */
export interface Job {
  service: ServiceName
  kind: string
  /** With service and kind the identity: putting it again moves the due time. */
  key: string
  stationId: string
  dueAt: Date
}

export interface JobWakes {
  /** Wakes somebody at the jobs' time; call it after the commit of their rows. Without it the sweep finds them, later. */
  schedule(jobs: readonly Job[]): Promise<void>
  /**
   * Hands out due rows: on wakes, and in a sweep each second. One process gets a row; unless the row is removed or moved
   * it is handed out again after 30 s, so doing it twice must be harmless.
   */
  start(onDue: (jobs: readonly Job[]) => Promise<void>): Promise<{ stop(): Promise<void> }>
}
