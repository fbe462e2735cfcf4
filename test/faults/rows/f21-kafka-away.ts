import { UpgradeRefused } from '@busbar/simulator'
import { Fleet } from '../fleet.js'
import { playInjections } from '../injections.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { none, row, shown } from '../row.js'

const prefix = 'F21'
/** Held so long for a log that comes back. */
const heldSeconds = 20
const withoutIt = 'gateways without it, otherwise than promised'

export const kafkaAway = row({
  id: prefix,
  fault: 'all Kafka brokers are killed, out of reach, and silent',
  needsOwnServices: true,
  sizes: {
    small: { stations: 9, idle: 3, times: 1, awaySeconds: 6 },
    full: { stations: 60, idle: 100, times: 3, awaySeconds: 600 },
  },
  async run(rig, { stations, idle, times, awaySeconds }) {
    const { kafka } = rig.services
    const nemesis = new Nemesis(rig, prefix)
    // Firmware with one attempt may lose the message in flight here, where the others may not.
    const retry = { attempts: 3, intervalMs: 500, countsCuts: true }
    const fleet = await Fleet.open(rig, prefix, stations, { retry })
    const ids = await rig.registerStations(`${prefix}-IDLE`, idle)
    const idlers = await Promise.all(ids.map((id, index) => rig.connect(id, index)))
    const wrong: string[] = []
    let looks = 0
    const onEach = (work: 'kill' | 'start') => () => Promise.all(kafka.brokers.map((broker) => broker[work]()))
    const onLinks = (work: 'cut' | 'stall' | 'mend') => () => {
      for (const link of kafka.links) link[work]()
    }
    const recoveries = await fleet.during(() =>
      playInjections(
        fleet,
        nemesis,
        { times, awaySeconds, goalSeconds: 300 },
        [
          { name: 'Kafka is killed', inject: onEach('kill'), heal: onEach('start') },
          { name: 'Kafka is out of reach', inject: onLinks('cut'), heal: onLinks('mend') },
          { name: 'Kafka is silent', inject: onLinks('stall'), heal: onLinks('mend') },
        ],
        {
          async meanwhile({ name }, awaySeconds) {
            if (awaySeconds < 2 * heldSeconds) return
            looks += 1
            await new Promise((resolve) => setTimeout(resolve, (heldSeconds + 10) * 1_000))
            const refused = await rig.open(ids[0] ?? '').catch((cause: unknown) => cause)
            const isRight =
              refused instanceof UpgradeRefused && refused.status === 503 && refused.headers['retry-after']
            if (!isRight) wrong.push(`${name}: an upgrade came to ${String(refused)}`)
            const held = fleet.stations.filter(({ isOnline, queued }) => isOnline && queued > 0)
            for (const { id } of held) wrong.push(`${name}: ${id} is held for more than ${heldSeconds} s`)
          },
        },
      ),
    )
    const closed = idlers.filter(({ isOpen }) => !isOpen)
    for (const idler of idlers) idler.close()
    await fleet.settled()
    const invariants = await checkInvariants(rig, fleet, recoveries)
    await fleet.stop()
    return {
      injected: `${recoveries.times} times ${recoveries.awaySeconds} s under ${stations} stations, beside ${idle} idle ones`,
      invariants,
      figures: [
        looks > 0 ? none(withoutIt, wrong) : shown(withoutIt, 'not looked at'),
        none(
          'idle stations closed',
          closed.map(({ protocol }) => protocol),
        ),
      ],
    }
  },
})
