import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { password } from './rig.js'
import { addressOf, openRaw, requestOf } from './upgrade.js'

/** What slow sockets come to. */
export interface SlowTarget {
  /** Of the gateways, which take turns. */
  gateways: readonly { port: number; tlsPort: number | null }[]
  /** By which the gateways are known, PEM. */
  serverRoot: string
  /** Registered stations, one a place. */
  ids: readonly string[]
}

interface SlowKind {
  open(target: SlowTarget, place: number): Promise<Socket>
  /** How long such a socket may hold its place, in milliseconds. */
  mayStayMs: number
}

const [handshakeMs, firstCallMs, beatMs] = [10_000, 60_000, 5_000]
export const headersMs = 5_000
const oneByteEveryMs = 500

export const silent = 'upgraded, nothing said'

export const slowKinds: Readonly<Record<string, SlowKind>> = {
  'TLS, nothing said': { open: (target, place) => reach(target, place, 'tlsPort'), mayStayMs: handshakeMs },
  'TLS, half a hello': {
    async open(target, place) {
      const socket = await reach(target, place, 'tlsPort')
      socket.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]))
      return socket
    },
    mayStayMs: handshakeMs,
  },
  'TLS, then nothing': { open: shakeHands, mayStayMs: headersMs },
  'no byte of a request': { open: (target, place) => reach(target, place, 'port'), mayStayMs: headersMs },
  'a request byte by byte': {
    async open(target, place) {
      const socket = await reach(target, place, 'port')
      const request = requestOf('/ocpp/SLOWEST', { id: 'SLOWEST', secret: null }, addressOf(place))
      const bytes = Buffer.from(request)[Symbol.iterator]()
      const timer = setInterval(() => socket.write(Buffer.from([bytes.next().value ?? 0])), oneByteEveryMs)
      socket.once('close', () => clearInterval(timer))
      return socket
    },
    mayStayMs: headersMs,
  },
  [silent]: {
    open: (target, place) => openRaw(gatewayOf(target, place).port, target.ids[place] ?? '', password),
    mayStayMs: firstCallMs + beatMs,
  },
}

const gatewayOf = ({ gateways }: SlowTarget, place: number) =>
  gateways[place % gateways.length] ?? { port: 0, tlsPort: null }

function reach(target: SlowTarget, place: number, door: 'port' | 'tlsPort'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(gatewayOf(target, place)[door] ?? 0, '127.0.0.1', () => resolve(socket))
    socket.once('error', reject)
  })
}

function shakeHands(target: SlowTarget, place: number): Promise<Socket> {
  const options = { port: gatewayOf(target, place).tlsPort ?? 0, host: '127.0.0.1', ca: target.serverRoot }
  return new Promise((resolve, reject) => {
    const socket = connectTls(options, () => resolve(socket))
    socket.once('error', reject)
  })
}
