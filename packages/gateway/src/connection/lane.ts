import type { EventLog, OutgoingRecord } from '@busbar/backbone'

const settled = Promise.resolve()

/**
 * The way of one connection's records into the log. Order: as appended, over all topics, because record n+1 leaves only
 * once n is acknowledged. After a failure nothing more goes in: the station repeats what was not answered, and must not
 * find a later message before it.
 */
export class Lane {
  readonly #log: EventLog
  /** Records that are not acknowledged yet, the one on its way included. */
  #inHand = 0
  #tail: Promise<unknown> = settled
  #failure: unknown = null

  constructor(log: EventLog) {
    this.#log = log
  }

  /**
   * Resolves when the log holds the record.
   * @param linger nobody waits for a decision on it, so it may wait for company
   * @throws UnavailableError when the log is away, or was for a record before this one
   */
  append(record: OutgoingRecord, linger: boolean): Promise<void> {
    const appended =
      this.#inHand++ === 0 ? this.#send(record, linger) : this.#tail.then(() => this.#send(record, linger))
    this.#tail = appended.then(
      () => {
        this.#inHand--
      },
      (cause: unknown) => {
        this.#inHand--
        this.#failure = cause
      },
    )
    return appended
  }

  /** Resolves once all that was appended is in, or failed. */
  async settled(): Promise<void> {
    await this.#tail
  }

  #send(record: OutgoingRecord, linger: boolean): Promise<void> {
    return this.#failure === null ? this.#log.append(record, { linger }) : Promise.reject(this.#failure)
  }
}
