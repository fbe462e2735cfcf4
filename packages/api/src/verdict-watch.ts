import { type StationChannels, verdictChannel } from '@busbar/backbone'

export interface Verdict {
  status: string
  response: unknown
  error: unknown
}

const lookEveryMs = 200

/**
 * Listens for the verdict of one command. Made before the command is, so that no verdict can pass unseen.
 */
export class VerdictWatch {
  readonly #channels: StationChannels
  readonly #verdict: Promise<Verdict | null>
  #settle: (verdict: Verdict | null) => void = () => {}
  #unsubscribe: () => Promise<void> = async () => {}

  private constructor(channels: StationChannels) {
    this.#channels = channels
    this.#verdict = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  static async start(channels: StationChannels, commandId: string): Promise<VerdictWatch> {
    const watch = new VerdictWatch(channels)
    watch.#unsubscribe = await channels.subscribe(verdictChannel(commandId), (message) => {
      if (message.kind === 'verdict') watch.#settle(message)
    })
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
      if (this.#channels.isAvailable) return
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

  stop(): Promise<void> {
    return this.#unsubscribe()
  }
}
