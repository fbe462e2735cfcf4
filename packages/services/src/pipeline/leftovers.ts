import type { LogBatch, Outbox } from '@busbar/backbone'
import { UnavailableError } from '@busbar/store'
import { outboxSource } from './outgoing.js'

/**
 * Outbox rows that were committed and whose sender does not know of them: those of a worker that died, and those of a
 * commit that broke off without a word. They go before anything newer of their partition.
 */
export class Leftovers {
  readonly #service: string
  readonly #outbox: Pick<Outbox, 'flush'>
  #owned: ReadonlySet<number> = new Set()
  /** Partitions of commits nobody knows the end of. */
  readonly #unsure = new Set<number>()

  constructor(service: string, outbox: Pick<Outbox, 'flush'>) {
    this.#service = service
    this.#outbox = outbox
  }

  /** @param partitions all this worker has from now on */
  assigned(partitions: readonly number[]): void {
    this.#owned = new Set(partitions)
    this.#flush(partitions)
  }

  revoked(partitions: readonly number[]): void {
    this.#owned = new Set([...this.#owned].filter((partition) => !partitions.includes(partition)))
  }

  /**
   * Applies a batch. Whatever comes of it except "away" means that Postgres answers again: then what an earlier attempt
   * may have committed is sent.
   */
  async watch(batch: LogBatch, apply: () => Promise<void>): Promise<void> {
    try {
      await apply()
    } catch (cause) {
      if (cause instanceof UnavailableError) {
        for (const record of batch.records) this.#unsure.add(record.partition)
        throw cause
      }
      this.#flushUnsure()
      throw cause
    }
    this.#flushUnsure()
  }

  #flushUnsure(): void {
    if (this.#unsure.size === 0) return
    this.#flush([...this.#unsure].filter((partition) => this.#owned.has(partition)))
    this.#unsure.clear()
  }

  #flush(partitions: readonly number[]): void {
    if (partitions.length > 0) this.#outbox.flush(partitions.map((each) => outboxSource(this.#service, each)))
  }
}
