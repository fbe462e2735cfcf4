import net from 'node:net'
import { parseArgs } from 'node:util'
import { upgradeRequest } from './handshake.js'
import { stationId } from './stations.js'

/** Stations that connect, evenly over time, and say nothing. Prints `open` and holds them until it is killed. */
const { values: given } = parseArgs({
  options: {
    port: { type: 'string', default: '' },
    /** Number of the first station. */
    first: { type: 'string', default: '0' },
    stations: { type: 'string', default: '500' },
    password: { type: 'string', default: '' },
    perSecond: { type: 'string', default: '1000' },
    /** A port of its own for each socket is needed once per address. */
    from: { type: 'string', default: '127.0.0.1' },
  },
})

function open(id: string): Promise<void> {
  return new Promise((resolve) => {
    const fail = (cause: unknown) => {
      console.error(`${id}: ${cause}`)
      process.exit(1)
    }
    const socket = net.connect({ host: '127.0.0.1', port: Number(given.port), localAddress: given.from, noDelay: true })
    socket.on('error', fail)
    socket.on('close', () => fail('the socket closed'))
    socket.on('connect', () => socket.write(upgradeRequest(id, given.password)))
    socket.once('data', (data: Buffer) => {
      const [status = ''] = data.toString('latin1').split('\r\n')
      if (status.startsWith('HTTP/1.1 101')) resolve()
      else fail(status)
    })
    // What comes after is a ping; a station that never answers one is closed after 75 s, which is longer than this takes.
    socket.on('data', () => {})
  })
}

const stations = Number(given.stations)
/** More would not find room where the kernel keeps who waits to be accepted. */
const atOnce = 200
let begun = 0
let opened = 0
const startedAt = performance.now()
const timer = setInterval(() => {
  const due = Math.min(stations, (Number(given.perSecond) * (performance.now() - startedAt)) / 1_000)
  while (begun < due && begun - opened < atOnce) {
    void open(stationId(Number(given.first) + begun++)).then(() => {
      opened += 1
      if (opened === stations) console.log('open')
    })
  }
  if (begun === stations) clearInterval(timer)
}, 1)
