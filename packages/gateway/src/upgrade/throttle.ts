const windowMs = 60_000
const maxKeys = 50_000

/**
 * Slows guessing down: counts failures only, per address and station id, so that neither a station nor the others
 * behind its address can be locked out by a stranger.
 */
export class Throttle {
  readonly #perMinute: number
  /** In the order the windows began. */
  readonly #failures = new Map<string, { count: number; startedAt: number }>()
  /** When an address failed last, whatever the id. */
  readonly #failedAt = new Map<string, number>()

  constructor(perMinute: number) {
    this.#perMinute = perMinute
  }

  /** @param now milliseconds, monotonic */
  isClosed(address: string, stationId: string, now: number): boolean {
    const failures = this.#failures.get(toKey(address, stationId))
    return failures !== undefined && now - failures.startedAt < windowMs && failures.count >= this.#perMinute
  }

  /** Has failed within the last minute, with any id: whoever did waits for those who did not. */
  isSuspect(address: string, now: number): boolean {
    const failedAt = this.#failedAt.get(address)
    return failedAt !== undefined && now - failedAt < windowMs
  }

  /** Counts before the caller is checked, or all guesses that come at once would be checked; `succeeded` takes it back. */
  tried(address: string, stationId: string, now: number): void {
    const key = toKey(address, stationId)
    const failures = this.#failures.get(key)
    if (failures && now - failures.startedAt < windowMs) {
      failures.count++
      return
    }
    this.#failures.delete(key)
    this.#failures.set(key, { count: 1, startedAt: now })
    for (const [oldest, { startedAt }] of this.#failures) {
      if (this.#failures.size <= maxKeys && now - startedAt < windowMs) break
      this.#failures.delete(oldest)
    }
  }

  failed(address: string, now: number): void {
    this.#failedAt.delete(address)
    this.#failedAt.set(address, now)
    for (const [oldest, failedAt] of this.#failedAt) {
      if (this.#failedAt.size <= maxKeys && now - failedAt < windowMs) break
      this.#failedAt.delete(oldest)
    }
  }

  succeeded(address: string, stationId: string): void {
    this.#failures.delete(toKey(address, stationId))
  }
}

/** In whatever letter case: each spelling would have guesses of its own. */
const toKey = (address: string, stationId: string) => `${address} ${stationId.toLowerCase()}`
