import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { until } from '../../support/system.js'
import { maxSockets, SlowCrowd } from '../crowd.js'
import { inParallel, Latencies, password, type Rig } from '../rig.js'
import { none, row, shown } from '../row.js'
import { addressOf, openRaw, requestOf } from '../upgrade.js'

interface Size {
  slow: number
  stations: number
  /** Until those that upgraded and say nothing had to go. */
  waitsForSilent: boolean
}

interface Kind {
  open(rig: Rig, place: number, ids: readonly string[]): Promise<Socket>
  /** How long such a socket may hold its place, in milliseconds. */
  mayStayMs: number
}

/** Timers look once a second, and this machine may be late. */
const slackMs = 5_000
const [handshakeMs, headersMs, firstCallMs, beatMs] = [10_000, 5_000, 60_000, 5_000]
const oneByteEveryMs = 500

const kinds: Readonly<Record<string, Kind>> = {
  'TLS, nothing said': { open: (rig, place) => reach(rig, place, 'tlsPort'), mayStayMs: handshakeMs },
  'TLS, half a hello': {
    async open(rig, place) {
      const socket = await reach(rig, place, 'tlsPort')
      socket.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]))
      return socket
    },
    mayStayMs: handshakeMs,
  },
  'TLS, then nothing': { open: shakeHands, mayStayMs: headersMs },
  'no byte of a request': { open: (rig, place) => reach(rig, place, 'port'), mayStayMs: headersMs },
  'a request byte by byte': {
    async open(rig, place) {
      const socket = await reach(rig, place, 'port')
      const request = requestOf('/ocpp/SLOWEST', { id: 'SLOWEST', secret: null }, addressOf(place))
      const bytes = Buffer.from(request)[Symbol.iterator]()
      const timer = setInterval(() => socket.write(Buffer.from([bytes.next().value ?? 0])), oneByteEveryMs)
      socket.once('close', () => clearInterval(timer))
      return socket
    },
    mayStayMs: headersMs,
  },
  'upgraded, nothing said': {
    open: (rig, place, ids) => openRaw(gatewayOf(rig, place).port, ids[place] ?? '', password),
    mayStayMs: firstCallMs + beatMs,
  },
}
const silent = 'upgraded, nothing said'

const gatewayOf = ({ system: { gateways } }: Rig, place: number) =>
  gateways[place % gateways.length] ?? { port: 0, tlsPort: null }

function reach(rig: Rig, place: number, door: 'port' | 'tlsPort'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(gatewayOf(rig, place)[door] ?? 0, '127.0.0.1', () => resolve(socket))
    socket.once('error', reject)
  })
}

function shakeHands(rig: Rig, place: number): Promise<Socket> {
  const options = { port: gatewayOf(rig, place).tlsPort ?? 0, host: '127.0.0.1', ca: rig.doors.serverRoot.certificate }
  return new Promise((resolve, reject) => {
    const socket = connectTls(options, () => resolve(socket))
    socket.once('error', reject)
  })
}

export const slowloris = row<Size>({
  id: 'T8',
  fault: 'slow sockets in the TLS handshake, the request, and after the upgrade, while stations connect',
  sizes: {
    small: { slow: 240, stations: 20, waitsForSilent: false },
    full: { slow: 5_000, stations: 1_000, waitsForSilent: true },
  },
  async run(rig, { slow: asked, stations, waitsForSilent }) {
    const slow = await scale(rig, asked, stations)
    const perKind = Math.floor(slow / Object.keys(kinds).length)
    const ids = await rig.registerStations('PROMPT', stations)
    const silentIds = await rig.registerStations('SILENT', perKind)
    const crowds = new Map(
      Object.entries(kinds).map(([name, { open }]) => [name, new SlowCrowd((place) => open(rig, place, silentIds))]),
    )
    await Promise.all([...crowds.values()].map((crowd) => crowd.fill(perKind)))
    const held = [...crowds.values()].reduce((sum, { size }) => sum + size, 0)
    const latencies = new Latencies()
    const keptOut: string[] = []
    let came = 0
    await inParallel(ids.entries(), 25, async ([index, id]) => {
      if (rig.isOver) return
      came += 1
      const coming = latencies.measure(rig.connect(id, index))
      const socket = await coming.catch((cause: unknown) => void keptOut.push(`${id}: ${String(cause)}`))
      socket?.close()
    })
    const awaited = [...crowds].filter(([name]) => waitsForSilent || name !== silent)
    await until(
      'each kind was shown the door',
      () => awaited.every(([, { stays }]) => stays.length > perKind / 2),
      90_000,
    )
    await sleep(headersMs)
    for (const crowd of crowds.values()) crowd.leave()
    const overlong = [...crowds].flatMap(([name, { stays }]) => {
      const longest = Math.max(0, ...stays)
      return longest > (kinds[name]?.mayStayMs ?? 0) + slackMs ? [`${name}: ${longest.toFixed(0)} ms`] : []
    })
    return {
      injected: `${held} slow sockets of ${crowds.size} kinds${slow < asked ? ` (of ${asked}: this machine lets a process open no more)` : ''}, ${came} stations connecting`,
      figures: [
        none('stations kept out', keptOut),
        none('slow sockets that stayed longer than they may', overlong),
        none(
          'slow sockets that could not come',
          [...crowds.values()].flatMap(({ troubles }) => troubles),
        ),
        shown('slowest station, connect and boot', latencies.at(1), 'ms'),
        shown('p50', latencies.at(0.5), 'ms'),
        shown(
          'shown the door after, s',
          [...crowds].map(([name, { stays }]) => `${name} ${(Math.max(0, ...stays) / 1_000).toFixed(1)}`).join(', '),
        ),
      ],
    }
  },
})

/** As many as the gateways and this process may open, each with room for what else it does. */
async function scale(rig: Rig, slow: number, stations: number): Promise<number> {
  const room = 500
  const ofGateways = await Promise.all(rig.system.gateways.map(({ child }) => maxSockets(child.pid)))
  const most = Math.min(await maxSockets(), ...ofGateways.map((limit) => limit * rig.system.gateways.length))
  return Math.min(slow, most - stations - room)
}
