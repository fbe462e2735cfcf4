import type { ChannelListener, ChannelMessage, StationChannels } from '../ports/station-channels.js'

/** Station channels within one process. Messages arrive after `publish` returned, as they do over Redis. */
export class LocalStationChannels implements StationChannels {
  readonly isAvailable = true
  readonly #listeners = new Map<string, Set<ChannelListener>>()

  async subscribe(channel: string, listener: ChannelListener): Promise<void> {
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
  }

  async unsubscribe(channel: string, listener: ChannelListener): Promise<void> {
    const listeners = this.#listeners.get(channel)
    if (listeners?.delete(listener) && listeners.size === 0) this.#listeners.delete(channel)
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
      for (const listener of listeners)
        if (this.#listeners.get(channel)?.has(listener)) listener.receive(JSON.parse(text))
    })
    return listeners.length
  }
}
