import type { Sql } from '@busbar/store'
import type { Headers } from './event-log.js'

export interface OutboxRow {
  /** Rows of one source are sent in serial order: `<service>:<partition>`, or `api`. */
  source: string
  topic: string
  key: string
  value: string | Buffer
  headers: Headers
}

/** The source of rows that the API writes. */
export const apiSource = 'api'

/**
 * Records that leave with a commit. Order: by serial within a source, never n+1 before n is acknowledged. Delivery: at
 * least once.
 */
export interface Outbox {
  /**
   * Statements for the commit of the effects.
   * @throws Error for a record the log would refuse
   */
  insert(rows: readonly OutboxRow[]): Sql[]
  /**
   * Sends what these sources have, leftovers of an earlier owner first. In the background, until it succeeded.
   * @returns when the log holds what they had; never, if the process stops before
   */
  flush(sources: readonly string[]): Promise<void>
  /** Sends the rows of source `api`, one process at a time (advisory lock); a poll each second finds what others left. */
  startApiSender(): { poke(): void; stop(): Promise<void> }
}
