import { formatTimestamp } from '@busbar/ocpp'

/** The time as records carry it, written once a millisecond: many records come within one. */
export class WallClock {
  #at = Number.NaN
  #text = ''

  timestamp(): string {
    const now = Date.now()
    if (now !== this.#at) {
      this.#at = now
      this.#text = formatTimestamp(new Date(now))
    }
    return this.#text
  }
}
