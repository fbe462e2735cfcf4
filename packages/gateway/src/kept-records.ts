import type { EventLog, OutgoingRecord } from '@busbar/backbone'
import { UnavailableError } from '@busbar/store'
import type { Logger } from 'pino'
import type { GatewayMetrics } from './metrics.js'

const maxKept = 50_000
/** So many that a request takes them together, and few enough that stations do not wait behind them. */
const retriedAtOnce = 500

/**
 * Records of facts that no station repeats: a socket closed, a call of ours ended. They are tried again until the log
 * takes them. Order: kept among those that had to wait. Bound: the oldest 50,000 wait, what exceeds them is counted.
 */
export class KeptRecords {
  readonly #log: EventLog
  readonly #logger: Logger
  readonly #metrics: GatewayMetrics
  readonly #waiting: OutgoingRecord[] = []
  readonly #sending = new Set<Promise<void>>()
  #isRetrying = false

  constructor(log: EventLog, logger: Logger, metrics: GatewayMetrics) {
    this.#log = log
    this.#logger = logger
    this.#metrics = metrics
  }

  append(record: OutgoingRecord): void {
    if (this.#waiting.length > 0) {
      this.#keep(record)
      return
    }
    const sending = this.#log.append(record).catch((cause: unknown) => this.#failed(record, cause))
    this.#sending.add(sending)
    void sending.then(() => this.#sending.delete(sending))
  }

  /** Tries again; call it now and then. */
  retry(): void {
    if (this.#waiting.length === 0 || this.#isRetrying || !this.#log.available) return
    this.#isRetrying = true
    const sending = this.#sendWaiting().finally(() => {
      this.#isRetrying = false
      this.#sending.delete(sending)
    })
    this.#sending.add(sending)
  }

  /** Resolves once nothing is on its way; what waits for the log's return stays behind. */
  async settled(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending)
  }

  /** The log takes them in their order; when it is away for one it is away for all behind it. */
  async #sendWaiting(): Promise<void> {
    while (this.#waiting.length > 0 && this.#log.available) {
      const records = this.#waiting.slice(0, retriedAtOnce)
      const results = await Promise.allSettled(records.map((record) => this.#log.append(record)))
      const causes = results.map((result) => (result.status === 'rejected' ? result.reason : null))
      const untaken = causes.findIndex((cause) => cause instanceof UnavailableError)
      const settled = untaken < 0 ? causes : causes.slice(0, untaken)
      this.#waiting.splice(0, settled.length)
      for (const cause of settled) if (cause !== null) this.#drop(cause)
      if (untaken >= 0) return
    }
  }

  #failed(record: OutgoingRecord, cause: unknown): void {
    if (cause instanceof UnavailableError) this.#keep(record)
    else this.#drop(cause)
  }

  #keep(record: OutgoingRecord): void {
    if (this.#waiting.length < maxKept) this.#waiting.push(record)
    else this.#metrics.lost('outcome')
  }

  #drop(cause: unknown): void {
    this.#metrics.lost('outcome')
    this.#logger.error({ err: cause }, 'the log refuses a record')
  }
}
