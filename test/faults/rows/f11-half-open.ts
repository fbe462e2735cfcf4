import { startNetwork } from '@busbar/store'
import { until } from '../../support/system.js'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { inParallel, Latencies, type Rig } from '../rig.js'
import { atMost, none, row } from '../row.js'

const [prefix, cutPrefix] = ['NEAR', 'CUT']

async function isOffline(rig: Rig, id: string): Promise<boolean> {
  return !(await rig.system.api.get<{ connection: { online: boolean } }>(`/stations/${id}`)).connection.online
}

export const halfOpen = row({
  id: 'F11',
  fault: 'a cable is pulled: nothing comes through, and neither end is told',
  needsProcesses: true,
  sizes: { small: { stations: 10, silent: 0 }, full: { stations: 100, silent: 20 } },
  async run(rig, { stations, silent }) {
    const fleet = await Fleet.open(rig, prefix, 6)
    const ids = await rig.registerStations(cutPrefix, stations + silent)
    const networks = await Promise.all(
      rig.system.gateways.map(({ port }) => startNetwork(() => ({ host: '127.0.0.1', port }))),
    )
    const urlOf = (index: number) => `ws://127.0.0.1:${networks[index % networks.length]?.port}/ocpp`
    const cut = await Promise.all(ids.map((id, index) => rig.connect(id, 0, { url: urlOf(index) })))
    const [reconnects, disappearances] = [new Latencies(), new Latencies()]
    const missed: string[] = []

    await fleet.during(async () => {
      for (const network of networks) network.stall()
      // Those that say nothing any more; the others come back by another way, to the same gateway or another.
      const disappearing = ids
        .slice(stations)
        .map((id) => disappearances.measure(until(`${id} is shown offline`, () => isOffline(rig, id), 120_000)))
      await inParallel(ids.slice(0, stations).entries(), 10, async ([index, id]) => {
        const newer = await reconnects.measure(rig.open(id, rig.random.integer(0, 1)))
        newer.on('ClearCache', () => ({ status: 'Accepted' }))
        const { status } = await rig.command(id, 'ClearCache', {}, { wait: 60 })
        if (status !== 'accepted') missed.push(`${id} (${index}): ${status}`)
        newer.close()
      })
      await Promise.all(disappearing)
    })
    await fleet.settled()
    const recovery = { times: ids.length, each: reconnects, goalSeconds: 2 }
    const invariants = await checkInvariants(rig, fleet, recovery)
    for (const socket of cut) socket.terminate()
    for (const network of networks) await network.close()
    await fleet.stop()
    return {
      injected: `${stations} stations come back beside a half-open connection, ${silent} do not`,
      invariants,
      figures: [
        none('commands that missed the newer connection', missed),
        ...(silent > 0 ? [atMost('shown offline', disappearances.at(1) / 1_000, 75, 's')] : []),
      ],
    }
  },
})
