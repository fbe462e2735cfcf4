import { setTimeout as sleep } from 'node:timers/promises'
import type { StationSocket } from '@busbar/simulator'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { inParallel, Latencies, type Rig } from '../rig.js'
import { none, row } from '../row.js'

const [prefix, watchedPrefix] = ['BESIDE', 'LATE']

/** A newer connection is made while the older one closes: before, between or after, with a handshake or without. */
async function overtake(rig: Rig, id: string, older: StationSocket): Promise<StationSocket> {
  const [closesAfterMs, isCut] = [rig.random.integer(0, 20), rig.random.chance(0.5)]
  const opening = rig.open(id, rig.random.integer(0, 1))
  await sleep(closesAfterMs)
  if (isCut) older.terminate()
  else older.close()
  return opening
}

const readOffline = (rig: Rig) =>
  rig.query<{ id: string }>(
    `SELECT id FROM station LEFT JOIN station_state ON station_id = id WHERE id LIKE '${watchedPrefix}-%' AND NOT coalesce(online, false)`,
  )

export const lateCloses = row({
  id: 'F10',
  fault: 'the end of an older connection comes after the newer one has registered',
  needsProcesses: true,
  sizes: { small: { stations: 10, turns: 3 }, full: { stations: 100, turns: 100 } },
  async run(rig, { stations, turns }) {
    const fleet = await Fleet.open(rig, prefix, 6)
    const ids = await rig.registerStations(watchedPrefix, stations)
    const sockets = new Map<string, StationSocket>()
    for (const [index, id] of ids.entries()) sockets.set(id, await rig.connect(id, index))
    const missed: string[] = []
    const shownOffline: string[] = []
    const settled = new Latencies()
    let interleavings = 0

    async function turn(id: string): Promise<void> {
      const older = sockets.get(id)
      if (!older) return
      const newer = await overtake(rig, id, older)
      newer.on('ClearCache', () => ({ status: 'Accepted' }))
      sockets.set(id, newer)
      const { status } = await settled.measure(rig.command(id, 'ClearCache', {}, { wait: 60 }))
      if (status !== 'accepted') missed.push(`${id}: ${status}`)
      interleavings += 1
    }

    await fleet.during(async () => {
      for (let done = 0; done < turns && !rig.isOver; done += 1) {
        await inParallel(ids, 20, turn)
        await rig.caughtUp()
        for (const { id } of await readOffline(rig)) shownOffline.push(id)
      }
    })
    await fleet.settled()
    const recovery = { times: interleavings, each: settled, goalSeconds: 2 }
    const invariants = await checkInvariants(rig, fleet, recovery)
    for (const socket of sockets.values()) socket.close()
    await fleet.stop()
    return {
      injected: `${interleavings} interleavings of ${stations} stations`,
      invariants,
      figures: [none('commands that missed the newest connection', missed), none('shown offline', shownOffline)],
    }
  },
})
