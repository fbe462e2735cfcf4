import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, type Session, type SessionLimits, sql } from '@busbar/store'
import type { Logger } from 'pino'
import type { EventLog, Headers } from '../ports/event-log.js'
import { apiSource, type Outbox, type OutboxRow } from '../ports/outbox.js'
import type { Topics } from '../topics.js'
import { assertAppendable } from './append-queue.js'
import { decodeHeaders, encodeHeaders } from './headers.js'
import type { BackboneMetrics } from './metrics.js'

export interface OutboxOptions {
  database: Database
  topics: Topics
  append: EventLog['append']
  log: Logger
  metrics: BackboneMetrics
  senderLimits?: SessionLimits
}

const rowsAtOnce = 1000
const maxBackoffMs = 5000
const apiPollMs = 1000
/** Between two statements it waits for the log, which takes what it is given or fails it within 20 s. */
const apiSenderLimits: SessionLimits = { statementTimeoutMs: 10_000, idleTimeoutMs: 30_000 }

const insertRows = sql(`
  INSERT INTO outbox (source, topic, key, value, headers)
  SELECT source, topic, key, value, headers
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::jsonb[]) WITH ORDINALITY
    AS r(source, topic, key, value, headers, position)
  ORDER BY position`)
// Source by source along the index, which marks what was sent as gone: a bitmap of all of them would look at each such row
// again until a vacuum, and at some hundred rows a second that was half the work of Postgres.
const selectRows = sql(`
  SELECT o.* FROM unnest($1::text[]) AS asked(source) CROSS JOIN LATERAL (
    SELECT id, source, topic, key, value, headers FROM outbox WHERE source = asked.source ORDER BY id LIMIT ${rowsAtOnce}
  ) AS o ORDER BY o.id LIMIT ${rowsAtOnce}`)
const deleteRows = sql('DELETE FROM outbox WHERE id = ANY($1::bigint[])')
// The same for all processes of a database.
const lockApi = sql("SELECT pg_advisory_lock(hashtext('busbar outbox api'))")
const unlockApi = sql("SELECT pg_advisory_unlock(hashtext('busbar outbox api'))")

interface Row {
  id: bigint
  source: string
  topic: string
  key: string
  value: Buffer
  headers: Headers
}

export function createOutbox(options: OutboxOptions): Outbox & { close(): Promise<void> } {
  const { database, topics, log, metrics } = options
  const names = new Set(topics.all)
  const stopping = new AbortController()
  /** Sources with something to send, and who waits for it to be sent. */
  let waiting = new Map<string, (() => void)[]>()
  let pump: Promise<void> | null = null

  /** Sends until nothing is waiting; a round that failed is repeated with all it was about. */
  async function run(): Promise<void> {
    let failures = 0
    while (waiting.size > 0 && !stopping.signal.aborted) {
      const sources = waiting
      waiting = new Map()
      try {
        await sendAll([...sources.keys()], database, options)
        failures = 0
        for (const waiters of sources.values()) for (const sent of waiters) sent()
      } catch (cause) {
        metrics.outboxRetries.inc()
        log.warn({ err: cause }, 'the outbox is not sent yet')
        for (const [source, waiters] of sources) waitFor(source, ...waiters)
        await pause(Math.min(maxBackoffMs, 200 * 2 ** Math.min(failures++, 10)))
      }
    }
    pump = null
  }

  function waitFor(source: string, ...waiters: (() => void)[]): void {
    waiting.set(source, [...(waiting.get(source) ?? []), ...waiters])
  }

  const pause = (ms: number) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => {})

  return {
    insert(rows) {
      if (rows.length === 0) return []
      for (const row of rows) assertAppendable(row, names)
      return [
        insertRows(
          rows.map((row) => row.source),
          rows.map((row) => row.topic),
          rows.map((row) => row.key),
          rows.map((row) => toBuffer(row.value)),
          rows.map((row) => encodeHeaders(row.headers)),
        ),
      ]
    },
    async flush(sources) {
      const sent = sources.map((source) => new Promise<void>((resolve) => waitFor(source, resolve)))
      // Not before this turn ends: who asks for the same is served by the same round.
      pump ??= Promise.resolve().then(run)
      await Promise.all(sent)
    },
    startApiSender: () => startApiSender(options),
    close: async () => {
      stopping.abort()
      await pump
    },
  }
}

/** Arrays of views would reach Postgres as nested arrays. */
const toBuffer = (value: OutboxRow['value']): Buffer => (typeof value === 'string' ? Buffer.from(value) : value)

/**
 * Sends all rows of these sources. The log takes appends in their order and fails everything behind a failure, so the
 * rows of a round travel together; the next round starts when all of this one are acknowledged and deleted.
 */
async function sendAll(
  sources: readonly string[],
  session: Pick<Session, 'query'>,
  { append, metrics }: OutboxOptions,
): Promise<void> {
  for (;;) {
    const rows = await session.query<Row>(selectRows(sources))
    const acknowledged: bigint[] = []
    const blocked = new Set<string>()
    const results = await Promise.allSettled(
      rows.map(({ topic, key, value, headers }) => append({ topic, key, value, headers: decodeHeaders(headers) })),
    )
    let failure: unknown
    for (const [index, row] of rows.entries()) {
      const result = results[index]
      if (result?.status === 'rejected') {
        failure ??= result.reason
        blocked.add(row.source)
      }
      if (!blocked.has(row.source)) acknowledged.push(row.id)
    }
    if (acknowledged.length > 0) await session.query(deleteRows(acknowledged))
    metrics.outboxSent.inc(acknowledged.length)
    if (failure) throw failure
    if (rows.length < rowsAtOnce) return
  }
}

/** One round holds the lock; a process that hangs in it, or is lost, blocks the others for 30 s. */
function startApiSender(options: OutboxOptions): { poke(): void; stop(): Promise<void> } {
  const { database, log, metrics, senderLimits = apiSenderLimits } = options
  const stopping = new AbortController()
  let poked = false
  let wake = () => {}
  const poke = () => {
    poked = true
    wake()
  }
  const wait = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (poked || stopping.signal.aborted) wake()
    })

  async function run(): Promise<void> {
    let failures = 0
    while (!stopping.signal.aborted) {
      try {
        await database.session(async (session) => {
          while (!stopping.signal.aborted) {
            poked = false
            await session.query(lockApi())
            try {
              await sendAll([apiSource], session, options)
            } finally {
              await session.query(unlockApi())
            }
            failures = 0
            await wait(apiPollMs)
          }
        }, senderLimits)
      } catch (cause) {
        metrics.outboxRetries.inc()
        log.warn({ err: cause }, 'the records of the API are not sent yet')
        poked = false
        await wait(Math.min(maxBackoffMs, 200 * 2 ** Math.min(failures++, 10)))
      }
    }
  }

  const work = run()
  return {
    poke,
    stop: async () => {
      stopping.abort()
      wake()
      await work
    },
  }
}
