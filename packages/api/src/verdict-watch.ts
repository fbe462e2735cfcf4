import { type ChannelListener, type StationChannels, verdictChannel } from '@busbar/backbone'

export interface Verdict {
  status: string
  response: unknown
  error: unknown
}

const lookEveryMs = 100

/** Listens for the verdict of one command, from before the command is made. */
export class VerdictWatch {
  readonly #channels: StationChannels
  readonly #verdict: Promise<Verdict | null>
  readonly #channel: string
  readonly #listener: ChannelListener
  readonly #subscribing: Promise<void>
  #settle: (verdict: Verdict | null) => void = () => {}
  #hears = false

  constructor(channels: StationChannels, commandId: string) {
    this.#channels = channels
    this.#verdict = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#channel = verdictChannel(commandId)
    this.#listener = {
      receive: (message) => {
        if (message.kind === 'verdict') this.#settle(message)
      },
    }
    this.#subscribing = channels.subscribe(this.#channel, this.#listener)
    void this.#subscribing.then(() => {
      this.#hears = true
    })
  }

  /**
   * @param look finds the verdict in the books: nothing is heard while the channels are away
   * @returns null when time ran out or `closing` aborted
   */
  async wait(timeoutMs: number, closing: AbortSignal, look: () => Promise<Verdict | null>): Promise<Verdict | null> {
    const giveUp = () => this.#settle(null)
    const timer = setTimeout(giveUp, timeoutMs)
    const lookNow = async () => {
      // Without the books too, time runs out.
      const verdict = await look().catch(() => null)
      if (verdict) this.#settle(verdict)
    }
    // The verdict may have passed before this was told to the channels.
    if (!this.#hears) void this.#subscribing.then(lookNow)
    const looking = setInterval(() => {
      if (!this.#hears || !this.#channels.isAvailable) void lookNow()
    }, lookEveryMs)
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
    void this.#subscribing.then(() => this.#channels.unsubscribe(this.#channel, this.#listener))
  }
}
