import { setTimeout as sleep } from 'node:timers/promises'
import type { VirtualStation } from '@busbar/simulator'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies } from '../rig.js'
import { atMost, row, shown } from '../row.js'

const prefix = 'DEPLOY'

/** How long each is offline, each time. */
async function watchAbsences(stations: readonly VirtualStation[], absences: Latencies, life: AbortSignal) {
  const since = new Map<VirtualStation, number>()
  while (!life.aborted) {
    for (const station of stations) {
      const leftAt = since.get(station)
      if (!station.isOnline && leftAt === undefined) since.set(station, performance.now())
      if (!station.isOnline || leftAt === undefined) continue
      absences.add(performance.now() - leftAt)
      since.delete(station)
    }
    await sleep(10)
  }
}

export const gatewayDeploys = row({
  id: 'F24',
  fault: 'gateways are replaced one after the other',
  needsProcesses: true,
  sizes: { small: { stations: 12, times: 1 }, full: { stations: 100, times: 20 } },
  async run(rig, { stations, times }) {
    const nemesis = new Nemesis(rig, 'F24')
    const fleet = await Fleet.open(rig, prefix, stations)
    const [absences, recoveries] = [new Latencies(), new Latencies()]
    const life = new AbortController()
    const watching = watchAbsences(fleet.stations, absences, life.signal)
    let deploys = 0
    await fleet.during(async () => {
      for (; deploys < times && !rig.isOver; deploys += 1) {
        for (const index of rig.system.gateways.keys()) {
          await sleep(rig.random.integer(500, 2_000))
          await nemesis.end('gateways', index)
          await recoveries.measure(fleet.served())
          await nemesis.start('gateways', index)
        }
      }
    })
    await fleet.settled()
    life.abort()
    await watching
    const invariants = await checkInvariants(rig, fleet, { times: deploys, each: recoveries, goalSeconds: 30 })
    await fleet.stop()
    return {
      injected: `${deploys} deploys of ${rig.system.gateways.length} gateways under ${stations} stations`,
      invariants,
      figures: [
        atMost('offline, p95', absences.at(0.95) / 1_000, 30, 's'),
        shown('offline, p50', absences.at(0.5), 'ms'),
        shown('times offline', absences.count),
      ],
    }
  },
})
