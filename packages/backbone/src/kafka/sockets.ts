import net from 'node:net'
import tls from 'node:tls'
import type { ISocketFactory } from 'kafkajs'

/** How often we look who owes an answer, and after how long without a word from it a broker is probed. */
const lookMs = 500
const quietMs = 2_000
/**
 * How long a probe waits: a broker answers it at once, however long what else it was asked takes. What counts are turns of
 * our event loop, between which is read what has come: a process that stood still takes nobody for silent.
 */
const probe = { turnMs: 100, turns: 15 }
/** ApiVersions, version 0: answered before the broker knows who asks. */
const apiVersions = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255])

/** kafkajs leaves Nagle's algorithm on, which delays small requests. */
const noDelaySockets: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = ssl
    ? tls.connect({ host, port, ...(net.isIP(host) === 0 && { servername: host }), ...ssl }, onConnect)
    : net.connect({ host, port }, onConnect)
  return socket.setNoDelay(true).setKeepAlive(true, 60_000)
}

type Address = Omit<Parameters<ISocketFactory>[0], 'onConnect'>

interface Broker {
  address: Address
  /** And how much had been written to each when it was last heard; -1 for those that were never heard. */
  sockets: Map<net.Socket, number>
  heardAt: number
  isProbed: boolean
  isSilent: boolean
}

/**
 * The connections of a process to its brokers. A frozen broker keeps its connections and takes new ones, and kafkajs, which
 * goes by those, waits out every request and comes back to it again and again; so it does with an address that takes
 * connections and ends them at once, as a proxy whose broker is gone. Either is made to look like a broker that is gone,
 * until it answers a probe.
 */
export class BrokerSockets {
  readonly #connect: ISocketFactory
  readonly #brokers = new Map<string, Broker>()
  #looking: NodeJS.Timeout | null = null

  /** @param connect tests cut the network here */
  constructor(connect: ISocketFactory = noDelaySockets) {
    this.#connect = connect
  }

  /** kafkajs unrefs a socket that is gone for each request it refuses, and Node takes that for listeners piling up. */
  readonly open: ISocketFactory = (options) => this.#open(options).setMaxListeners(0)

  #open(options: Parameters<ISocketFactory>[0]): net.Socket {
    const broker = this.#broker(options)
    if (broker.isSilent) {
      this.#probe(broker)
      return new net.Socket().destroy(silence())
    }
    const socket = this.#connect(options)
    broker.sockets.set(socket, -1)
    this.#looking ??= setInterval(() => this.#look(), lookMs).unref()
    socket.on('data', () => {
      broker.sockets.set(socket, socket.bytesWritten)
      broker.heardAt = performance.now()
    })
    // Prepended: Node ends our side too, and then it looks as if we had hung up.
    socket.prependOnceListener('end', () => {
      if (!socket.writableEnded && broker.sockets.get(socket) === -1) broker.isSilent = true
    })
    socket.once('close', () => broker.sockets.delete(socket))
    return socket
  }

  #look(): void {
    const now = performance.now()
    const all = [...this.#brokers.values()]
    for (const broker of all) {
      const owes = [...broker.sockets].some(([socket, heard]) => socket.bytesWritten > heard)
      if (owes && now - broker.heardAt >= quietMs) this.#probe(broker)
    }
    if (this.#looking && all.every(({ sockets }) => sockets.size === 0)) {
      clearInterval(this.#looking)
      this.#looking = null
    }
  }

  /** One at a time. */
  #probe(broker: Broker): void {
    if (broker.isProbed) return
    broker.isProbed = true
    const startedAt = performance.now()
    const socket = this.#connect({ ...broker.address, onConnect: () => socket.write(apiVersions) })
    let turns = 0
    const patience = setInterval(() => {
      turns += 1
      if (turns >= probe.turns) socket.destroy()
    }, probe.turnMs).unref()
    socket.unref().on('error', () => {})
    socket.once('data', () => {
      broker.heardAt = performance.now()
      socket.destroy()
    })
    socket.once('close', () => {
      clearInterval(patience)
      broker.isProbed = false
      // Over whichever line.
      broker.isSilent = broker.heardAt < startedAt
      if (broker.isSilent) for (const [line, heard] of broker.sockets) hangUp(line, heard >= 0)
    })
  }

  #broker({ host, port, ssl }: Address): Broker {
    const name = `${host}:${port}`
    const known = this.#brokers.get(name)
    if (known) return known
    const address = { host, port, ssl }
    const broker = { address, sockets: new Map(), heardAt: performance.now(), isProbed: false, isSilent: false }
    this.#brokers.set(name, broker)
    return broker
  }
}

/** As if the broker had: kafkajs then asks the others who leads. While it still connects it hears of failures only. */
function hangUp(socket: net.Socket, wasHeard: boolean): void {
  if (wasHeard) socket.emit('end')
  socket.destroy(wasHeard ? undefined : silence())
}

/** The code by which kafkajs tells a broker that is gone. */
const silence = () => Object.assign(new Error('The broker does not answer'), { code: 'ECONNREFUSED' })
