import type { ServerResponse } from 'node:http'
import { type ChannelMessage, type StationChannels, type Verdict, verdictsChannel } from '@busbar/backbone'

const lookEveryMs = 100

/** Who waits for a verdict, from before what it is about is recorded. */
export interface VerdictWatch {
  /**
   * @param look finds the verdict in the books: nothing is heard while the channels are away
   * @returns null when time ran out, the caller hung up or the API stops
   */
  wait(timeoutMs: number, look: () => Promise<Word | null>): Promise<Word | null>
  stop(): void
}

type Word = Omit<Verdict, 'commandId'>

interface Waiter {
  settle: (verdict: Word | null) => void
  /** Once it waits. */
  look: (() => Promise<Word | null>) | null
}

/** Hears all verdicts, on one channel, and tells those who wait. */
export class Verdicts {
  readonly #channels: StationChannels
  readonly #waiting = new Map<string, Set<Waiter>>()
  readonly #listener = { receive: (message: ChannelMessage) => this.#receive(message) }
  readonly #looking: NodeJS.Timeout
  /** Whether none was missed since the last look. */
  #hears = true
  #isStopped = false

  private constructor(channels: StationChannels) {
    this.#channels = channels
    this.#looking = setInterval(() => this.#lookWhereDeaf(), lookEveryMs)
  }

  static async follow(channels: StationChannels): Promise<Verdicts> {
    const verdicts = new Verdicts(channels)
    await channels.subscribe(verdictsChannel, verdicts.#listener)
    return verdicts
  }

  /** @param caller a wait ends when it has gone */
  watch(id: string, caller: ServerResponse): VerdictWatch {
    let settle: Waiter['settle'] = () => {}
    const verdict = new Promise<Word | null>((resolve) => {
      settle = resolve
    })
    const waiter: Waiter = { settle, look: null }
    const giveUp = () => settle(null)
    if (this.#isStopped) giveUp()
    this.#waiting.set(id, (this.#waiting.get(id) ?? new Set()).add(waiter))
    caller.once('close', giveUp)
    return {
      wait: async (timeoutMs, look) => {
        waiter.look = look
        const timer = setTimeout(giveUp, timeoutMs)
        try {
          return await verdict
        } finally {
          clearTimeout(timer)
        }
      },
      stop: () => {
        caller.off('close', giveUp)
        const waiters = this.#waiting.get(id)
        waiters?.delete(waiter)
        if (waiters?.size === 0) this.#waiting.delete(id)
      },
    }
  }

  /** All waits end. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#looking)
    for (const { settle } of this.#waiters()) settle(null)
    await this.#channels.unsubscribe(verdictsChannel, this.#listener)
  }

  #receive(message: ChannelMessage): void {
    if (message.kind !== 'verdicts') return
    for (const { commandId, ...verdict } of message.verdicts) {
      for (const { settle } of this.#waiting.get(commandId) ?? []) settle(verdict)
    }
  }

  /** Once more after the channels have come back: what passed meanwhile was not heard. */
  #lookWhereDeaf(): void {
    const heard = this.#hears
    this.#hears = this.#channels.isAvailable
    if (heard && this.#hears) return
    for (const waiter of this.#waiters()) void lookFor(waiter)
  }

  #waiters(): Waiter[] {
    return [...this.#waiting.values()].flatMap((waiters) => [...waiters])
  }
}

async function lookFor({ look, settle }: Waiter): Promise<void> {
  // Without the books too, time runs out.
  const verdict = await look?.().catch(() => null)
  if (verdict) settle(verdict)
}
