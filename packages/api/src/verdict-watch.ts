import { type StationChannels, verdictChannel } from '@busbar/backbone'

export interface Verdict {
  status: string
  response: unknown
  error: unknown
}

/**
 * Listens for the verdict of one command. Made before the command is, so that no verdict can pass unseen.
 */
export class VerdictWatch {
  readonly #verdict: Promise<Verdict | null>
  #settle: (verdict: Verdict | null) => void = () => {}
  #unsubscribe: () => Promise<void> = async () => {}

  private constructor() {
    this.#verdict = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  static async start(channels: StationChannels, commandId: string): Promise<VerdictWatch> {
    const watch = new VerdictWatch()
    watch.#unsubscribe = await channels.subscribe(verdictChannel(commandId), (message) => {
      if (message.kind === 'verdict') watch.#settle(message)
    })
    return watch
  }

  /** @returns null when time ran out or `closing` aborted */
  async wait(timeoutMs: number, closing: AbortSignal): Promise<Verdict | null> {
    const giveUp = () => this.#settle(null)
    const timer = setTimeout(giveUp, timeoutMs)
    closing.addEventListener('abort', giveUp)
    if (closing.aborted) giveUp()
    try {
      return await this.#verdict
    } finally {
      clearTimeout(timer)
      closing.removeEventListener('abort', giveUp)
    }
  }

  stop(): Promise<void> {
    return this.#unsubscribe()
  }
}
