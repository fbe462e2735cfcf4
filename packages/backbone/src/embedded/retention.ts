import { type Database, sql } from '@busbar/store'
import type { Logger } from 'pino'

const keepHours = 24
const everyMs = 10 * 60_000
const atOnce = 10_000

/** Old records that every service reading their partition has passed. */
const deleteOld = sql(`
  DELETE FROM log_record AS r USING (
    SELECT topic, partition, "offset" FROM log_record AS l
    WHERE appended_at < now() - make_interval(hours => $1) AND NOT EXISTS (
      SELECT FROM consumer_offset AS o
      WHERE o.log = 'embedded' AND o.topic = l.topic AND o.partition = l.partition AND o.next <= l."offset"
    )
    LIMIT $2
  ) AS old
  WHERE r.topic = old.topic AND r.partition = old.partition AND r."offset" = old."offset"
  RETURNING 1`)

/** @returns how many went; fewer than `limit` means all that may go */
export async function deleteOldRecords(database: Database, hours = keepHours, limit = atOnce): Promise<number> {
  return (await database.query(deleteOld(hours, limit))).length
}

/** Keeps the embedded log from growing for ever: it is a queue with a day of memory, the journal is the archive. */
export function startRetention(database: Database, log: Logger): { stop(): Promise<void> } {
  let stopped = false
  let work: Promise<void> = Promise.resolve()
  const sweep = async () => {
    try {
      while (!stopped && (await deleteOldRecords(database)) === atOnce);
    } catch (cause) {
      log.warn({ err: cause }, 'old records of the log stay until the next sweep')
    }
  }
  const timer = setInterval(() => {
    work = work.then(sweep)
  }, everyMs)
  return {
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await work
    },
  }
}
