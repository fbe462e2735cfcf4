/** Memory of the rate, and how many records of other stations make waiting worth it. */
const memoryMs = 100
const worthWaitingFor = 3

/**
 * Whether a record that may wait will find company. Stations speak one record at a time, so only those of others count:
 * where one station alone is talking nobody comes, and waiting would only make its answers late.
 */
export class Company {
  readonly #waitMs: number
  #lastKey = ''
  #lastAt = 0
  /** Records of another key than the one before, each fading with the time since. */
  #others = 0

  /** @param waitMs how long a record would wait */
  constructor(waitMs: number) {
    this.#waitMs = waitMs
  }

  /** @param now milliseconds, monotonic */
  isExpected(key: string, now: number): boolean {
    this.#others *= Math.exp((this.#lastAt - now) / memoryMs)
    this.#lastAt = now
    if (key !== this.#lastKey) this.#others += 1
    this.#lastKey = key
    return (this.#others * this.#waitMs) / memoryMs >= worthWaitingFor
  }
}
