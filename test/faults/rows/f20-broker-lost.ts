import { Fleet } from '../fleet.js'
import { playInjections } from '../injections.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Neighbours } from '../rig.js'
import { atMost, none, row, shown } from '../row.js'

const prefix = 'F20'

export const brokerLost = row({
  id: prefix,
  fault: 'one Kafka broker of three is killed, or frozen: the leaders of its partitions move',
  needsOwnServices: true,
  sizes: {
    small: { stations: 9, times: 1, awaySeconds: 8 },
    full: { stations: 60, times: 30, awaySeconds: 20 },
  },
  async run(rig, { stations, times, awaySeconds }) {
    const { kafka } = rig.services
    const nemesis = new Nemesis(rig, prefix)
    const fleet = await Fleet.open(rig, prefix, stations)
    const others = await Neighbours.open(rig, `${prefix}-N`, 6)
    const injections = kafka.brokers.flatMap((broker) => [
      { name: `${broker.name} is killed`, inject: () => broker.kill(), heal: () => broker.start() },
      { name: `${broker.name} is frozen`, inject: () => broker.freeze(), heal: () => broker.thaw() },
    ])
    const schedule = { times, awaySeconds, goalSeconds: 60 }
    const playing = fleet.during(() => playInjections(fleet, nemesis, schedule, injections))
    const answers = await others.during(playing)
    const recoveries = await playing
    others.close()
    await fleet.settled()
    const invariants = await checkInvariants(rig, fleet, recoveries)
    await fleet.stop()
    return {
      injected: `${recoveries.times} times ${recoveries.awaySeconds} s under ${stations} stations`,
      invariants,
      figures: [
        none('stations beside that were refused or closed', others.troubles),
        atMost('longest answer', answers.at(1) / 1_000, 10, 's'),
        shown('answers beside', answers.count),
      ],
    }
  },
})
