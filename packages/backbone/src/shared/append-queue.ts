import { setTimeout as sleep } from 'node:timers/promises'
import { UnavailableError } from '@busbar/store'
import type { Logger } from 'pino'
import { type Headers, maxRecordBytes, type OutgoingRecord } from '../ports/event-log.js'
import type { Topics } from '../topics.js'
import { Company } from './company.js'
import type { BackboneMetrics } from './metrics.js'
import { partitionOf } from './partitioner.js'

/** Ready to be sent. */
export interface PlacedRecord {
  topic: string
  partition: number
  key: string
  value: Buffer
  headers: Headers
}

export interface AppendQueueOptions {
  topics: Topics
  partitions: number
  /** One attempt; resolves when the log holds all of them. A failure may leave some of them behind. */
  send: (records: readonly PlacedRecord[]) => Promise<void>
  log: Logger
  metrics: BackboneMetrics
  limits?: Partial<AppendLimits>
}

export interface AppendLimits {
  /** How long a record that nobody decides on waits for company, where some is to be expected. */
  lingerMs: number
  /** With so many in hand there is company enough, and waiting would save nothing more. */
  fullRequestRecords: number
  /** After this long a record is given up. */
  giveUpMs: number
  /** Failures shorter than this are a leader moving, not an absence. */
  toleranceMs: number
  /** Between two canaries. */
  probeMs: number
  /** Of one request; Kafka's own default for its producers. */
  maxRequestBytes: number
}

export const appendLimits: AppendLimits = {
  lingerMs: 20,
  fullRequestRecords: 100,
  giveUpMs: 20_000,
  toleranceMs: 3_000,
  probeMs: 1_000,
  maxRequestBytes: 1024 * 1024,
}

interface Entry {
  record: PlacedRecord
  lingers: boolean
  addedAt: number
  resolve: () => void
  reject: (error: Error) => void
}

type State =
  | { kind: 'idle' }
  /** A send starts when the timer fires, or at the end of this turn of the event loop. */
  | { kind: 'gathering'; cancel: () => void; lingers: boolean }
  /** One request is out; what is appended meanwhile is the next. */
  | { kind: 'sending'; failingSince: number | null }
  /** Given up; a canary is sent now and then. */
  | { kind: 'away'; cause: unknown }
  | { kind: 'closed' }

/**
 * Sends what gathered while the last request was in flight as one request, so batches grow with the load and nobody
 * waits for a timer. One request at a time keeps the order; a failed one is repeated as it was, and when it is given up
 * everything behind it fails too, so no record overtakes another of its key.
 */
export class AppendQueue {
  readonly #options: AppendQueueOptions
  readonly #limits: AppendLimits
  readonly #stopping = new AbortController()
  readonly #topics: Set<string>
  readonly #company: Company
  #pending: Entry[] = []
  #state: State = { kind: 'idle' }
  #work: Promise<void> = Promise.resolve()

  constructor(options: AppendQueueOptions) {
    this.#options = options
    this.#limits = { ...appendLimits, ...options.limits }
    this.#company = new Company(this.#limits.lingerMs)
    this.#topics = new Set(options.topics.all)
    options.metrics.logAvailable.set(1)
  }

  get available(): boolean {
    const state = this.#state
    if (state.kind === 'away' || state.kind === 'closed') return false
    if (state.kind !== 'sending' || state.failingSince === null) return true
    return performance.now() - state.failingSince < this.#limits.toleranceMs
  }

  append(record: OutgoingRecord, { linger = false }: { linger?: boolean | 'alone' } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const placed = this.#place(record)
      if (this.#state.kind === 'closed') throw new UnavailableError('the log is closed')
      if (this.#state.kind === 'away') throw new UnavailableError('the log is away', { cause: this.#state.cause })
      const addedAt = performance.now()
      const isExpected = linger !== false && this.#company.isExpected(record.key, addedAt)
      const lingers = isExpected || linger === 'alone'
      this.#pending.push({ record: placed, lingers, addedAt, resolve, reject })
      this.#gather(lingers && this.#pending.length < this.#limits.fullRequestRecords)
    })
  }

  /** What was appended is still sent, or fails in its time. */
  async close(): Promise<void> {
    this.#stopping.abort()
    if (this.#state.kind === 'gathering') this.#start()
    await this.#work
    this.#state = { kind: 'closed' }
    this.#rejectAll(new UnavailableError('the log is closed'))
  }

  #place(record: OutgoingRecord): PlacedRecord {
    assertAppendable(record, this.#topics)
    const { topic, key, headers } = record
    const value = typeof record.value === 'string' ? Buffer.from(record.value) : record.value
    return { topic, key, value, headers, partition: partitionOf(key, this.#options.partitions) }
  }

  #gather(lingers: boolean): void {
    const state = this.#state
    if (state.kind === 'idle' || (state.kind === 'gathering' && state.lingers && !lingers)) {
      if (state.kind === 'gathering') state.cancel()
      const oldest = this.#pending[0]?.addedAt ?? 0
      this.#state = { kind: 'gathering', lingers, cancel: this.#schedule(lingers, oldest) }
    }
  }

  #schedule(lingers: boolean, oldest: number): () => void {
    if (lingers) {
      const timer = setTimeout(() => this.#start(), Math.max(0, oldest + this.#limits.lingerMs - performance.now()))
      return () => clearTimeout(timer)
    }
    const immediate = setImmediate(() => this.#start())
    return () => clearImmediate(immediate)
  }

  #start(): void {
    if (this.#state.kind === 'gathering') this.#state.cancel()
    this.#state = { kind: 'sending', failingSince: null }
    this.#work = this.#run()
  }

  async #run(): Promise<void> {
    for (;;) {
      const entries = this.#takeRequest()
      if (!(await this.#sendUntilDeadline(entries))) return this.#probe()
      const next = this.#pending[0]
      if (!next) break
      const mayWait = this.#pending.length < this.#limits.fullRequestRecords && !this.#stopping.signal.aborted
      const waits = mayWait && this.#pending.every((entry) => entry.lingers)
      if (waits && performance.now() - next.addedAt < this.#limits.lingerMs) break
    }
    this.#state = { kind: 'idle' }
    if (this.#pending.length > 0) this.#gather(true)
  }

  #takeRequest(): Entry[] {
    let bytes = 0
    let count = 0
    for (const entry of this.#pending) {
      bytes += entry.record.value.length
      if (count > 0 && bytes > this.#limits.maxRequestBytes) break
      count++
    }
    return this.#pending.splice(0, count)
  }

  /** @returns false when the request was given up */
  async #sendUntilDeadline(entries: readonly Entry[]): Promise<boolean> {
    const { metrics, log, send } = this.#options
    const records = entries.map((entry) => entry.record)
    const deadline = (entries[0]?.addedAt ?? 0) + this.#limits.giveUpMs
    let failure: unknown = new Error('no answer')
    // An attempt may hang longer than callers are promised to wait.
    const timer = setTimeout(() => this.#giveUp(entries, failure), deadline - performance.now())
    try {
      for (let backoffMs = 50; ; backoffMs = Math.min(backoffMs * 2, 1000)) {
        try {
          await send(records)
          break
        } catch (cause) {
          failure = cause
          metrics.appendFailures.inc()
          log.warn({ err: cause, records: records.length }, 'the log did not take a request')
        }
        if (this.#state.kind === 'sending') this.#state.failingSince ??= performance.now()
        if (this.#state.kind === 'sending' && performance.now() + backoffMs >= deadline) this.#giveUp(entries, failure)
        if (this.#state.kind === 'away') return false
        await sleep(backoffMs)
      }
    } finally {
      clearTimeout(timer)
    }
    if (this.#state.kind === 'away') return false
    this.#state = { kind: 'sending', failingSince: null }
    metrics.appendBatchRecords.observe(entries.length)
    metrics.appendSeconds.observe((performance.now() - (entries[0]?.addedAt ?? 0)) / 1000)
    for (const entry of entries) entry.resolve()
    return true
  }

  #giveUp(entries: readonly Entry[], cause: unknown): void {
    if (this.#state.kind === 'away') return
    this.#state = { kind: 'away', cause }
    this.#options.metrics.logAvailable.set(0)
    this.#options.log.error({ err: cause }, 'the log is away')
    const error = new UnavailableError('the log did not take the record in time', { cause })
    for (const entry of entries) entry.reject(error)
    this.#rejectAll(error)
  }

  #rejectAll(error: Error): void {
    for (const entry of this.#pending.splice(0)) entry.reject(error)
  }

  async #probe(): Promise<void> {
    const { topics, send, log, metrics } = this.#options
    const canary = { topic: topics.canary, key: 'canary', value: Buffer.from('canary'), headers: {} }
    while (!this.#stopping.signal.aborted) {
      try {
        await send([this.#place(canary)])
        this.#state = { kind: 'idle' }
        metrics.logAvailable.set(1)
        log.info('the log is back')
        return
      } catch (cause) {
        this.#state = { kind: 'away', cause }
        await sleep(this.#limits.probeMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
      }
    }
  }
}

/** @throws Error for a record that no log can take, now or later: a bug of the caller */
export function assertAppendable(record: OutgoingRecord, topics: ReadonlySet<string>): void {
  if (!topics.has(record.topic)) throw new Error(`unknown topic: ${record.topic}`)
  // Postgres stores no NUL in a text, and both sides refuse alike.
  if (record.key.includes('\0')) throw new Error('a key may not hold a NUL character')
  let bytes = record.key.length + Buffer.byteLength(record.value)
  for (const name in record.headers) bytes += name.length + (record.headers[name]?.length ?? 0)
  if (bytes > maxRecordBytes) throw new Error(`a record of ${bytes} bytes is above the limit of ${maxRecordBytes}`)
}
