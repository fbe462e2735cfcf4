import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, type Rig } from '../rig.js'
import { atMost, row, shown } from '../row.js'

const prefix = 'KILLED'

interface Verdict {
  status: string
  /** Of those that were out when the gateway died, from then on. */
  ms: number
}

/** What became of the commands that were out when a gateway was killed. */
function readVerdicts(rig: Rig, kills: readonly Date[]): Promise<Verdict[]> {
  return rig.query<Verdict>(
    `SELECT status, extract(epoch FROM completed_at - killed_at)::float8 * 1000 AS ms
     FROM command JOIN unnest($2::timestamptz[]) AS kill (killed_at)
       ON dispatched_at < killed_at AND completed_at >= killed_at
     WHERE station_id LIKE $1`,
    [`${prefix}-%`, kills],
  )
}

export const killedGateways = row({
  id: 'F7',
  fault: 'a gateway is killed with messages and commands in flight',
  needsProcesses: true,
  sizes: { small: { stations: 12, times: 1 }, full: { stations: 60, times: 200 } },
  async run(rig, { stations, times }) {
    const nemesis = new Nemesis(rig, 'F7')
    const fleet = await Fleet.open(rig, prefix, stations)
    const kills: Date[] = []
    const recoveries = new Latencies()
    await fleet.during(async () => {
      while (kills.length < times && !rig.isOver) {
        await sleep(rig.random.integer(500, 2_000))
        const index = nemesis.pick('gateways')
        kills.push(new Date())
        await nemesis.kill('gateways', index)
        await recoveries.measure(fleet.served())
        await nemesis.start('gateways', index)
      }
    })
    await fleet.settled()
    const invariants = await checkInvariants(rig, fleet, { times: kills.length, each: recoveries, goalSeconds: 20 })
    const verdicts = await readVerdicts(rig, kills)
    await fleet.stop()
    return {
      injected: `${kills.length} kills under ${stations} stations`,
      invariants,
      figures: [
        atMost('slowest verdict', Math.max(0, ...verdicts.map(({ ms }) => ms)) / 1_000, 5, 's'),
        shown('commands out at a kill', verdicts.length),
        shown('of them unknown', verdicts.filter(({ status }) => status === 'unknown').length),
      ],
    }
  },
})
