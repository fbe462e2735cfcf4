import { setTimeout as sleep } from 'node:timers/promises'
import type { StationSocket } from '@busbar/simulator'
import { until } from '../../support/system.js'
import { Neighbours, token } from '../rig.js'
import { atMost, exactly, none, row, shown } from '../row.js'

/** All kinds of answers, so that fast ones would overtake slow ones. */
const calls = [
  ['Authorize', { idTag: token }],
  ['Heartbeat', {}],
  ['MeterValues', { connectorId: 1, meterValue: [] }],
  ['StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Available' }],
  ['DataTransfer', { vendorId: 'nobody' }],
] as const

interface Flood {
  sent: number
  calls: string[]
  done: Promise<void>
}

/** So many calls a second, whether or not they are answered. */
function flood(socket: StationSocket, perSecond: number, seconds: number): Flood {
  const result: Flood = { sent: 0, calls: [], done: Promise.resolve() }
  const startedAt = performance.now()
  result.done = (async () => {
    for (let elapsed = 0; elapsed < seconds * 1_000; elapsed = performance.now() - startedAt) {
      for (const due = (elapsed / 1_000) * perSecond; result.sent < due; result.sent += 1) {
        const [action, payload] = calls[result.sent % calls.length] ?? calls[0]
        socket.send(JSON.stringify([2, `f${result.sent}`, action, payload]))
      }
      await sleep(5)
    }
  })()
  return result
}

export const floods = row({
  id: 'F27',
  fault: 'a station sends 1,000 calls a second and waits for no answer',
  sizes: {
    small: { neighbours: 5, seconds: 1, perSecond: 1_000 },
    full: { neighbours: 20, seconds: 20, perSecond: 1_000 },
  },
  async run(rig, { neighbours: living, seconds, perSecond }) {
    const neighbours = await Neighbours.open(rig, 'CALM', living)
    const [id = ''] = await rig.registerStations('FLOOD', 1)
    const socket = await rig.connect(id)
    const bootFrames = socket.frames.length
    const calm = await neighbours.during(sleep(seconds * 1_000))
    const flooding = flood(socket, perSecond, seconds)
    const busy = await neighbours.during(flooding.done)
    const answers = () => socket.frames.slice(bootFrames).filter(({ direction }) => direction === 'in')
    // The station is read as fast as it is answered, so the rest takes its time; that it goes on is what counts.
    for (let seen = 0; answers().length < flooding.sent; seen = answers().length) {
      await until('the flood is answered further', () => answers().length > seen)
    }
    neighbours.close()
    socket.close()
    const frames = answers().map(({ text }) => JSON.parse(text) as [number, string, string?])
    return {
      injected: `${flooding.sent} calls in ${seconds} s beside ${living} neighbours`,
      figures: [
        exactly('answers', frames.length, flooding.sent),
        none(
          'CALLERRORs',
          frames.filter(([type]) => type !== 3).map((frame) => JSON.stringify(frame)),
        ),
        none(
          'answers out of order',
          frames.flatMap(([, messageId], at) => (messageId === `f${at}` ? [] : [messageId])),
        ),
        none('neighbours refused', neighbours.troubles),
        atMost("neighbours' p99 against calm", busy.at(0.99) / calm.at(0.99), 1.2, 'x'),
        shown('p99 calm', calm.at(0.99), 'ms'),
        shown('p99 in the flood', busy.at(0.99), 'ms'),
      ],
    }
  },
})
