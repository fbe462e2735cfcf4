import { UnavailableError } from '@busbar/store'

/** Of the four threads Node has for files, DNS and cryptography. */
const atOnce = 2
/** Beyond it a suspect is turned away instead of waiting. */
const maxSuspects = 100

type Standing = 'clean' | 'suspect'
type Start = (standing: Standing) => void

/**
 * Whose password is derived next. That is dear on purpose, so whoever guesses could keep everybody else waiting: addresses
 * take turns, however many guesses each brings, and suspects come behind all others and hold one thread at most.
 */
export class Turns {
  readonly #isSuspect: (address: string) => boolean
  /** By address, the next one first. */
  readonly #waiting = new Map<string, Start[]>()
  readonly #running: Record<Standing, number> = { clean: 0, suspect: 0 }

  /** @param isSuspect whether the address gave wrong passwords lately; asked again when its turn comes */
  constructor(isSuspect: (address: string) => boolean) {
    this.#isSuspect = isSuspect
  }

  /** @throws UnavailableError when it is a suspect and too many of them wait already */
  async take<T>(address: string, work: () => Promise<T>): Promise<T> {
    if (this.#isSuspect(address) && this.#countSuspects() >= maxSuspects) {
      throw new UnavailableError('Too many passwords wait to be checked')
    }
    const standing = await new Promise<Standing>((start) => {
      const starts = this.#waiting.get(address)
      if (starts) starts.push(start)
      else this.#waiting.set(address, [start])
      this.#startNext()
    })
    try {
      return await work()
    } finally {
      this.#running[standing] -= 1
      this.#startNext()
    }
  }

  #startNext(): void {
    if (this.#running.clean + this.#running.suspect >= atOnce) return
    const next = this.#findNext()
    if (!next) return
    const { address, standing } = next
    const starts = this.#waiting.get(address) ?? []
    const start = starts.shift()
    this.#waiting.delete(address)
    if (starts.length > 0) this.#waiting.set(address, starts)
    this.#running[standing] += 1
    start?.(standing)
  }

  #findNext(): { address: string; standing: Standing } | null {
    let suspect: string | null = null
    for (const address of this.#waiting.keys()) {
      if (!this.#isSuspect(address)) return { address, standing: 'clean' }
      suspect ??= address
    }
    return suspect === null || this.#running.suspect > 0 ? null : { address: suspect, standing: 'suspect' }
  }

  #countSuspects(): number {
    let count = 0
    for (const [address, starts] of this.#waiting) if (this.#isSuspect(address)) count += starts.length
    return count
  }
}
