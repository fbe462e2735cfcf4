import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from './api.js'
import { ProblemError } from './problems.js'

/** No request waits longer for its turn. */
const maxWaitMs = 1_000
/** A page of an operator's screen asks so much at once. */
const leastBurst = 10
const maxCallers = 10_000

/**
 * When each request of a caller may go on: half a second's worth at once, the others one by one. So whoever hurries for a
 * moment is slowed, and a flood costs no second more than its share of the minute.
 */
export class Pace {
  readonly #intervalMs: number
  /** How far ahead of an even pace a caller may be. */
  readonly #aheadMs: number
  /** Until when an even pace would need for the requests that were let in. */
  readonly #busyUntil = new Map<string, number>()

  /** @param perMinute no minute, whenever it begins, lets more in */
  constructor(perMinute: number) {
    const burst = Math.min(perMinute, Math.max(leastBurst, Math.ceil(perMinute / 120)))
    this.#intervalMs = 60_000 / (perMinute - burst + 1)
    this.#aheadMs = (burst - 1) * this.#intervalMs
  }

  /**
   * Takes the caller's next turn, unless that is more than a second away.
   * @param now milliseconds, monotonic
   * @returns whole milliseconds until that turn
   */
  take(caller: string, now: number): { waitMs: number; isTaken: boolean } {
    const busyUntil = Math.max(this.#busyUntil.get(caller) ?? now, now)
    const waitMs = Math.max(0, Math.round(busyUntil - this.#aheadMs - now))
    const isTaken = waitMs <= maxWaitMs
    if (isTaken) this.#busyUntil.set(caller, busyUntil + this.#intervalMs)
    if (this.#busyUntil.size > maxCallers) this.#forgetIdle(now)
    return { waitMs, isTaken }
  }

  #forgetIdle(now: number): void {
    for (const [caller, busyUntil] of this.#busyUntil) if (busyUntil <= now) this.#busyUntil.delete(caller)
  }
}

/** Each API process has a pace of its own. */
export function paceCallers(app: Api, perMinute: number): void {
  const pace = new Pace(perMinute)
  app.addHook('preParsing', async ({ caller }) => {
    if (!caller) return
    const { waitMs, isTaken } = pace.take(caller.id, performance.now())
    if (!isTaken) {
      throw new ProblemError(429, `More than ${perMinute} requests a minute with this key.`, {
        headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)) },
      })
    }
    if (waitMs > 0) await sleep(waitMs)
  })
}
