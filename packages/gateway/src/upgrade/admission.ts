/** Lets a steady rate through and a burst on top; what exceeds both is shed. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #filledAt: number

  /** @param now milliseconds, monotonic; so is every `now` of `take` */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#filledAt = now
  }

  take(now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) / 1000) * this.#perSecond)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

/** Spread, so that those turned away together do not come back together. Seconds. */
export function retryAfter(random: () => number = Math.random): string {
  return String(5 + Math.floor(random() * 25))
}
