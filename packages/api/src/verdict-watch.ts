import { setTimeout as sleep } from 'node:timers/promises'
import { type StationChannels, verdictChannel } from '@busbar/backbone'

export interface Verdict {
  status: string
  response: unknown
  error: unknown
}

const lookEveryMs = 200

/** A channel takes a millisecond; one that takes this long may be silent. */
const hearsWithinMs = 300

/**
 * Listens for the verdict of one command. Made before the command is, so that no verdict can pass unseen.
 */
export class VerdictWatch {
  readonly #channels: StationChannels
  readonly #verdict: Promise<Verdict | null>
  readonly #subscribing: Promise<() => Promise<void>>
  #settle: (verdict: Verdict | null) => void = () => {}
  #hears = false

  private constructor(channels: StationChannels, commandId: string) {
    this.#channels = channels
    this.#verdict = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#subscribing = channels.subscribe(verdictChannel(commandId), (message) => {
      if (message.kind === 'verdict') this.#settle(message)
    })
  }

  static async start(channels: StationChannels, commandId: string): Promise<VerdictWatch> {
    const watch = new VerdictWatch(channels, commandId)
    const subscribed = watch.#subscribing.then(() => {
      watch.#hears = true
    })
    await Promise.race([subscribed, sleep(hearsWithinMs)])
    return watch
  }

  /**
   * @param look finds the verdict in the books: nothing is heard while the channels are away
   * @returns null when time ran out or `closing` aborted
   */
  async wait(timeoutMs: number, closing: AbortSignal, look: () => Promise<Verdict | null>): Promise<Verdict | null> {
    const giveUp = () => this.#settle(null)
    const timer = setTimeout(giveUp, timeoutMs)
    const lookWhileDeaf = async () => {
      if (this.#hears && this.#channels.isAvailable) return
      // Without the books too, time runs out.
      const verdict = await look().catch(() => null)
      if (verdict) this.#settle(verdict)
    }
    const looking = setInterval(lookWhileDeaf, lookEveryMs)
    closing.addEventListener('abort', giveUp)
    if (closing.aborted) giveUp()
    try {
      return await this.#verdict
    } finally {
      clearTimeout(timer)
      clearInterval(looking)
      closing.removeEventListener('abort', giveUp)
    }
  }

  stop(): void {
    void this.#subscribing.then((unsubscribe) => unsubscribe())
  }
}
