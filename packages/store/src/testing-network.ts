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

/** What becomes of something that a client sends; `cut` ends its connection before or after it went through. */
export type Fate = 'pass' | 'swallow' | 'cut-before' | 'cut-after'

export interface NetworkOptions {
  /** On the way back. */
  delayMs?: number
  /** Asked of all that clients send, as it comes off the socket. */
  judge?: (sent: Buffer) => Fate
}

/** @param target asked at each connection */
export async function startNetwork(
  target: () => { host: string; port: number },
  { delayMs = 0, judge = () => 'pass' }: NetworkOptions = {},
): Promise<BreakableNetwork> {
  const pairs = new Set<[net.Socket, net.Socket]>()
  let state: 'open' | 'cut' | 'stalled' = 'open'
  const server = net.createServer((client) => {
    if (state === 'cut') {
      client.destroy()
      return
    }
    const upstream = net.connect(target())
    const pair: [net.Socket, net.Socket] = [client, upstream]
    pairs.add(pair)
    client.on('data', (sent) => {
      const fate = judge(sent)
      if (fate === 'pass' || fate === 'cut-after') upstream.write(sent)
      if (fate === 'cut-before' || fate === 'cut-after') client.destroy()
    })
    upstream.on('data', (answer) => {
      if (delayMs === 0) client.write(answer)
      else setTimeout(() => client.write(answer), delayMs)
    })
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.setNoDelay(true)
      from.on('error', () => {})
      // What is on its way to the other side still gets there.
      from.on('close', () => {
        to.end()
        pairs.delete(pair)
      })
      if (state === 'stalled') from.pause()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const end = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  return {
    port: (server.address() as net.AddressInfo).port,
    cut() {
      state = 'cut'
      end()
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
      end()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
