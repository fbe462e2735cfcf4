import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { inParallel, Latencies } from '../rig.js'
import { atMost, none, row } from '../row.js'

const prefix = 'MOVED'

/** Goal P16: how soon the other gateway serves all stations of the one that was killed. */
export const lostGateway = row({
  id: 'P16',
  fault: 'one of two gateways is killed, its stations go to the other',
  needsProcesses: true,
  sizes: { small: { stations: 40 }, full: { stations: 2_000 } },
  async run(rig, { stations }) {
    const nemesis = new Nemesis(rig, 'P16')
    const fleet = await Fleet.open(rig, prefix, stations)
    const moved = fleet.stations.filter((_, index) => index % 2 === 0)
    const recoveries = new Latencies()
    await nemesis.kill('gateways', 0)
    await recoveries.measure(fleet.served(moved, { action: 'Heartbeat', payload: {} }))
    const undelivered: string[] = []
    await inParallel(moved, 20, async ({ id }) => {
      const { body } = await fleet.command(id, 10)
      if (body.status !== 'rejected') undelivered.push(`${id}: ${body.status}`)
    })
    await nemesis.start('gateways', 0)
    const invariants = await checkInvariants(rig, fleet, { times: 1, each: recoveries, goalSeconds: 2 })
    await fleet.stop()
    return {
      injected: `${stations} stations, ${moved.length} of them moved`,
      invariants,
      figures: [
        none('first commands that the station did not answer', undelivered),
        atMost('all served', recoveries.at(1) / 1_000, 2, 's'),
      ],
    }
  },
})
