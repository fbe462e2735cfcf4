import type { ChildProcess } from 'node:child_process'
import { registerStations } from '../../support/register-stations.js'
import { ask, startBeside } from '../beside.js'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, password, type Rig } from '../rig.js'
import { atLeast, atMost, exactly, row, shown } from '../row.js'
import type { ProbeOrder, ProbeReport } from '../storm-probe.js'

const prefix = 'STORM'
/** Stations that ask at the same time. */
const probes = 40

/** All gateways go at once: every station has lost its connection, and wants it back. */
export const reconnectStorm = row({
  id: 'F23',
  fault: 'all gateways are killed and start again, all stations come back at once',
  needsProcesses: true,
  sizes: { small: { stations: 60, calls: 50 }, full: { stations: 10_000, calls: 300 } },
  async run(rig, { stations, calls }) {
    const nemesis = new Nemesis(rig, 'F23')
    const fleet = await Fleet.open(rig, prefix, stations, { reconnectMs: 1_000 })
    const gateways = [...rig.system.gateways.keys()]
    const [recoveries, waits] = [new Latencies(), new Latencies()]
    const prober = await startProbing(rig)
    await Promise.all(gateways.map((index) => nemesis.kill('gateways', index)))
    await ask(prober)
    const returning = recoveries.measure(fleet.served(fleet.stations, { action: 'Heartbeat', payload: {} }))
    await Promise.all(gateways.map((index) => nemesis.start('gateways', index)))
    await returning
    const { milliseconds, failed } = await ask<ProbeReport>(prober)
    for (const each of milliseconds) waits.add(each)
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
        shown('p50', waits.at(0.5) / 1_000, 's'),
        atLeast('calls in the storm', waits.count, calls),
        shown('of them failed or timed out', failed),
        shown('memory of the gateways', memory / 1_048_576, 'MiB'),
      ],
    }
  },
})

/** Online, and not asking yet. */
async function startProbing(rig: Rig): Promise<ChildProcess> {
  const ids = Array.from({ length: probes }, (_, index) => `PROBE-${index}`)
  await registerStations(rig.system, ids, password, false)
  const prober = startBeside('storm-probe.ts')
  await ask(prober, { ids, urls: rig.system.urls, password } satisfies ProbeOrder)
  return prober
}
