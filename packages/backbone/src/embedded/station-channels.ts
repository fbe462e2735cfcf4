import type { ChannelMessage, StationChannels } from '../ports/station-channels.js'

type Listener = (message: ChannelMessage) => void

/** Station channels within one process. Messages arrive after `publish` returned, as they do over Redis. */
export class LocalStationChannels implements StationChannels {
  readonly isAvailable = true
  readonly #listeners = new Map<string, Set<Listener>>()

  async subscribe(channel: string, listener: Listener): Promise<() => Promise<void>> {
    const listeners = this.#listeners.get(channel) ?? new Set()
    const entry: Listener = (message) => listener(message)
    this.#listeners.set(channel, listeners.add(entry))
    return async () => {
      listeners.delete(entry)
      if (listeners.size === 0 && this.#listeners.get(channel) === listeners) this.#listeners.delete(channel)
    }
  }

  async publish(messages: readonly { channel: string; message: ChannelMessage }[]): Promise<number[]> {
    return messages.map(({ channel, message }) => this.send(channel, message))
  }

  heard(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  /** @returns how many listeners get it */
  send(channel: string, message: ChannelMessage): number {
    const listeners = [...(this.#listeners.get(channel) ?? [])]
    // Text, so that nobody shares an object with the sender.
    const text = JSON.stringify(message)
    setImmediate(() => {
      for (const listener of listeners) if (this.#listeners.get(channel)?.has(listener)) listener(JSON.parse(text))
    })
    return listeners.length
  }
}
