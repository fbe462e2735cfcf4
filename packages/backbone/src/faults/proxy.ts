import net from 'node:net'

/** A network between us and a service, for tests to break. */
export interface BreakableNetwork {
  port: number
  /** Ends all connections and refuses new ones. */
  cut(): void
  /** Connections stay, and nothing gets through; what was sent arrives at `mend`. */
  stall(): void
  mend(): void
  close(): Promise<void>
}

export async function startProxy(target: { host: string; port: number }): Promise<BreakableNetwork> {
  const pairs = new Set<[net.Socket, net.Socket]>()
  let state: 'open' | 'cut' | 'stalled' = 'open'
  const server = net.createServer((client) => {
    if (state === 'cut') return client.destroy()
    const upstream = net.connect(target)
    const pair: [net.Socket, net.Socket] = [client, upstream]
    pairs.add(pair)
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on('data', (data) => to.write(data))
      from.on('error', () => {})
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
      if (state === 'stalled') from.pause()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    cut() {
      state = 'cut'
      for (const pair of pairs) for (const socket of pair) socket.destroy()
    },
    stall() {
      state = 'stalled'
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    mend() {
      state = 'open'
      for (const pair of pairs) for (const socket of pair) socket.resume()
    },
    close: async () => {
      for (const pair of pairs) for (const socket of pair) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
