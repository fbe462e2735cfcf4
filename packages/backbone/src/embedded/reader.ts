import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, OffsetConflictError, sql } from '@busbar/store'
import type { Logger } from 'pino'
import type { Headers, LogRecord } from '../ports/event-log.js'
import { Gathering } from '../shared/gathering.js'
import { decodeHeaders } from '../shared/headers.js'
import { type Positions, positionKey, type TopicPartition } from '../shared/offsets.js'

export interface EmbeddedReaderOptions {
  database: Database
  partitions: readonly TopicPartition[]
  /** Topics that nobody waits for. */
  gathered?: readonly string[]
  /** Where to read from; asked at the start and after every failure. */
  place: () => Promise<Positions>
  /** Moves `positions`; after it threw it is given the same again. */
  deliver: (records: LogRecord[], positions: Positions) => Promise<void>
  onConflict?: () => void
  onPause?: () => void
  log: Logger
}

/** Found without a wake: what was appended by an attempt that failed on its way back. */
const pollMs = 1000
const maxBackoffMs = 5000
const recordsPerPartition = 500
const maxReadBytes = 8 * 1024 * 1024

/** The next records of each partition, their order within it kept, up to a number of bytes in all (but one record). */
const selectNext = sql(`
  SELECT topic, partition, "offset", key, value, headers, appended_at FROM (
    SELECT r.*, sum(octet_length(r.value)) OVER (ORDER BY r."offset" - p.next, p.topic, p.partition)
      - octet_length(r.value) AS before
    FROM unnest($1::text[], $2::int[], $3::bigint[]) AS p(topic, partition, next)
    CROSS JOIN LATERAL (
      SELECT * FROM log_record AS l
      WHERE l.topic = p.topic AND l.partition = p.partition AND l."offset" >= p.next
      ORDER BY l."offset" LIMIT ${recordsPerPartition}
    ) AS r
  ) AS next_records
  WHERE before < ${maxReadBytes}
  ORDER BY "offset"`)

/** One read brings so much and no more; what is appended meanwhile wakes the reader again. */
function mayHaveMore(records: readonly LogRecord[]): boolean {
  const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
  return records.length >= recordsPerPartition || bytes >= maxReadBytes
}

interface Row {
  topic: string
  partition: number
  offset: bigint
  key: string
  value: Buffer
  headers: Headers
  appended_at: Date
}

/** Reads the partitions of the embedded log in order, woken by appends of this process. */
export class EmbeddedReader {
  readonly #options: EmbeddedReaderOptions
  readonly #gathering: Gathering
  readonly #stopping = new AbortController()
  readonly #partitions: ReadonlyMap<string, TopicPartition>
  /** Partitions that may have more; everything after a poll. */
  #dirty: Set<string>
  #wake: () => void = () => {}
  #work: Promise<void> = Promise.resolve()
  #positions: Positions = new Map()
  #failures = 0

  constructor(options: EmbeddedReaderOptions) {
    this.#options = options
    this.#partitions = new Map(options.partitions.map((each) => [positionKey(each), each]))
    this.#dirty = new Set(this.#partitions.keys())
    this.#gathering = new Gathering(options.gathered ?? [], () => this.#wake())
  }

  get positions(): ReadonlyMap<string, bigint> {
    return this.#positions
  }

  /** @throws UnavailableError when Postgres is away */
  async start(): Promise<void> {
    this.#positions = await this.#options.place()
    this.#work = this.#run()
  }

  /** Something was appended to these. */
  notify(keys: Iterable<string>): void {
    for (const key of keys) if (this.#positions.has(key)) this.#dirty.add(key)
    if (this.#due().length > 0) this.#wake()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#gathering.stop()
    this.#wake()
    await this.#work
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      if (this.#due().length === 0) await this.#idle()
      const due = this.#due()
      for (const each of due) this.#dirty.delete(positionKey(each))
      try {
        const records = await this.#read(due)
        if (records.length > 0) await this.#options.deliver(records, this.#positions)
        if (mayHaveMore(records)) for (const each of due) this.#dirty.add(positionKey(each))
        this.#gathering.delivered(records)
        this.#failures = 0
      } catch (cause) {
        await this.#recover(cause)
      }
    }
  }

  async #idle(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const key of this.#positions.keys()) this.#dirty.add(key)
        resolve()
      }, pollMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.#due().length > 0 || this.#stopping.signal.aborted) this.#wake()
    })
    this.#wake = () => {}
  }

  /** May have more, and are not left to gather. */
  #due(): TopicPartition[] {
    return [...this.#dirty].flatMap((key) => {
      const partition = this.#partitions.get(key)
      return partition && !this.#gathering.isResting(partition.topic) ? [partition] : []
    })
  }

  async #read(wanted: readonly TopicPartition[]): Promise<LogRecord[]> {
    if (wanted.length === 0) return []
    const rows = await this.#options.database.query<Row>(
      selectNext(
        wanted.map((each) => each.topic),
        wanted.map((each) => each.partition),
        wanted.map((each) => this.#positions.get(positionKey(each)) ?? 0n),
      ),
    )
    return rows.map(({ appended_at, headers, ...row }) => ({
      ...row,
      headers: decodeHeaders(headers),
      appendedAt: appended_at,
    }))
  }

  async #recover(cause: unknown): Promise<void> {
    const { log, onConflict, onPause } = this.#options
    if (cause instanceof OffsetConflictError) {
      onConflict?.()
      log.warn({ err: cause }, 'another reader moved the offsets')
    } else {
      onPause?.()
      log.warn({ err: cause }, 'batch put off')
      await this.#backOff()
    }
    while (!this.#stopping.signal.aborted) {
      try {
        this.#positions = await this.#options.place()
        for (const key of this.#positions.keys()) this.#dirty.add(key)
        return
      } catch (error) {
        log.warn({ err: error }, 'offsets could not be read')
        await this.#backOff()
      }
    }
  }

  async #backOff(): Promise<void> {
    const backoffMs = Math.min(maxBackoffMs, 250 * 2 ** Math.min(this.#failures++, 10))
    await sleep(backoffMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
  }
}
