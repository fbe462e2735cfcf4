import { setTimeout as sleep } from 'node:timers/promises'
import { type Charged, holdAgainstBooks, meterMessage, startMessage, stopMessage } from '../charging.js'
import { Neighbours, type Rig, result, token } from '../rig.js'
import { atMost, none, row, shown } from '../row.js'

const prefix = 'BACKLOG'
const readingsPerSession = 18
/** A station may send its queue without waiting; of 1.6 it is one call at a time, some firmware does more. */
const window = 8

/** Comes back after months and says all at once. */
async function unload(
  rig: Rig,
  id: string,
  index: number,
  messages: number,
): Promise<{ sent: number; charges: Charged[] }> {
  const socket = await rig.connect(id, index)
  const charges: Charged[] = []
  let clockMs = Date.now() - 90 * 86_400_000
  let wh = 100_000
  let sent = 0
  const read = () => {
    clockMs += 60_000
    wh += 150
    return { at: new Date(clockMs), wh }
  }
  while (sent < messages && !rig.isOver) {
    const start = startMessage(read())
    const { transactionId } = result<{ transactionId: number }>(await socket.call(start.action, start.payload))
    const inFlight = new Set<Promise<unknown>>()
    const rest = [
      ...Array.from({ length: readingsPerSession }, () => meterMessage(transactionId, read())),
      stopMessage(transactionId, read(), token),
    ]
    for (const { action, payload } of rest) {
      const call = socket.call(action, payload).then(result)
      inFlight.add(call)
      void call.then(() => inFlight.delete(call))
      if (inFlight.size >= window) await Promise.race(inFlight)
    }
    await Promise.all(inFlight)
    sent += rest.length + 1
    charges.push({ stationId: id, transactionId, wh: 150 * rest.length, readings: readingsPerSession })
  }
  socket.close()
  return { sent, charges }
}

export const backlog = row({
  id: 'F3',
  fault: 'stations come back with months of sessions and send all at once, others charge meanwhile',
  sizes: {
    small: { stations: 5, messages: 100, neighbours: 5, calmMs: 1_000 },
    full: { stations: 100, messages: 10_000, neighbours: 20, calmMs: 20_000 },
  },
  async run(rig, { stations, messages, neighbours: living, calmMs }) {
    const neighbours = await Neighbours.open(rig, 'LIVE', living)
    const ids = await rig.registerStations(prefix, stations)
    const calm = await neighbours.during(sleep(calmMs))
    const unloading = Promise.all(ids.map((id, index) => unload(rig, id, index, messages)))
    const busy = await neighbours.during(unloading)
    neighbours.close()
    const unloaded = await unloading
    await rig.drained(600_000)
    return {
      injected: `${unloaded.reduce((sum, { sent }) => sum + sent, 0)} messages of ${stations} stations in one go`,
      figures: [
        ...(await holdAgainstBooks(
          rig,
          prefix,
          unloaded.flatMap(({ charges }) => charges),
        )),
        none('live stations refused', neighbours.troubles),
        atMost('live p99', busy.at(0.99), 1_000, 'ms'),
        shown('live p50', busy.at(0.5), 'ms'),
        shown('live p99 before', calm.at(0.99), 'ms'),
      ],
    }
  },
})
