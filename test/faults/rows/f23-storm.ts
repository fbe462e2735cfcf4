import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies } from '../rig.js'
import { atMost, exactly, row, shown } from '../row.js'

const prefix = 'STORM'
const authorize = { action: 'Authorize', payload: { idTag: 'NOBODY' } }

/** All gateways go at once: every station has lost its connection, and wants it back. */
export const reconnectStorm = row({
  id: 'F23',
  fault: 'all gateways are killed and start again, all stations come back at once',
  needsProcesses: true,
  sizes: { small: { stations: 60 }, full: { stations: 10_000 } },
  async run(rig, { stations }) {
    const nemesis = new Nemesis(rig, 'F23')
    const fleet = await Fleet.open(rig, prefix, stations, { reconnectMs: 1_000 })
    const gateways = [...rig.system.gateways.keys()]
    const [recoveries, waits] = [new Latencies(), new Latencies()]
    await Promise.all(gateways.map((index) => nemesis.kill('gateways', index)))
    const returning = recoveries.measure(fleet.served(fleet.stations, { action: 'Heartbeat', payload: {} }))
    await Promise.all(gateways.map((index) => nemesis.start('gateways', index)))
    const life = new AbortController()
    const asking = (async () => {
      while (!life.signal.aborted) {
        const station = rig.random.pick(fleet.stations)
        if (station.isOnline) await waits.measure(station.call(authorize)).catch(() => {})
        await sleep(20)
      }
    })()
    await returning
    life.abort()
    await asking
    const memory = await rig.memory()
    await fleet.settled()
    const recovery = { times: gateways.length, each: recoveries, goalSeconds: 120 }
    const invariants = await checkInvariants(rig, fleet, recovery)
    const alive = rig.system.gateways.filter(({ child }) => child.exitCode === null && child.signalCode === null)
    await fleet.stop()
    return {
      injected: `${stations} stations`,
      invariants,
      figures: [
        exactly('gateways alive', alive.length, gateways.length),
        atMost('calls in the storm, p99', waits.at(0.99) / 1_000, 2, 's'),
        shown('calls in the storm', waits.count),
        shown('memory of the gateways', memory / 1_048_576, 'MiB'),
      ],
    }
  },
})
