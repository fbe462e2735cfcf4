import type { EventLog, OutgoingRecord } from '@busbar/backbone'
import { UnavailableError } from '@busbar/store'
import type { Logger } from 'pino'
import type { GatewayMetrics } from './metrics.js'

const maxKept = 50_000

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

  async #sendWaiting(): Promise<void> {
    for (let record = this.#waiting[0]; record && this.#log.available; record = this.#waiting[0]) {
      try {
        await this.#log.append(record)
      } catch (cause) {
        if (cause instanceof UnavailableError) return
        this.#drop(cause)
      }
      this.#waiting.shift()
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
