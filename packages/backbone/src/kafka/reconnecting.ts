interface Client {
  connect(): Promise<void>
  disconnect(): Promise<void>
}

export interface Reconnecting<C> {
  use<T>(run: (client: C) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * Connects when first used, and anew after a failure: kafkajs goes on using a connection whose requests all time out,
 * for it hears only of connections that end or fail, and one whose peer vanished does neither.
 */
export function reconnecting<C extends Client>(client: C): Reconnecting<C> {
  let connection: Promise<void> | null = null
  let closing: Promise<void> = Promise.resolve()

  const disconnect = () => {
    connection = null
    // Whatever it says: this connection is not used any more.
    closing = client.disconnect().catch(() => {})
  }
  return {
    use: async (run) => {
      connection ??= closing.then(() => client.connect())
      const current = connection
      try {
        await current
        return await run(client)
      } catch (cause) {
        if (connection === current) disconnect()
        throw cause
      }
    },
    close: async () => {
      disconnect()
      await closing
    },
  }
}
