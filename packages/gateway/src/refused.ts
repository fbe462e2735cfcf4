/** A caller that was turned away before the upgrade. */
export interface RefusedAttempt {
  stationId: string
  /** The last one: unknown, credentials, throttled, profile, protocol. */
  reason: string
  address: string
  count: number
  lastAt: Date
}

const maxIds = 1_000

/** What the operator is shown of stations that try in vain. In memory only: nothing is stored for an unproven caller. */
export class RefusedAttempts {
  /** The latest last. */
  readonly #attempts = new Map<string, RefusedAttempt>()

  add(stationId: string, reason: string, address: string): void {
    const count = (this.#attempts.get(stationId)?.count ?? 0) + 1
    this.#attempts.delete(stationId)
    this.#attempts.set(stationId, { stationId, reason, address, count, lastAt: new Date() })
    if (this.#attempts.size <= maxIds) return
    for (const oldest of this.#attempts.keys()) {
      this.#attempts.delete(oldest)
      return
    }
  }

  /** Once it is in, its failures are history. */
  delete(stationId: string): void {
    this.#attempts.delete(stationId)
  }

  /** The latest first. */
  list(): RefusedAttempt[] {
    return [...this.#attempts.values()].reverse()
  }
}
