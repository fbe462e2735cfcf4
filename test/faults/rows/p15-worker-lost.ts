import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, Neighbours } from '../rig.js'
import { atMost, none, row, shown } from '../row.js'

const prefix = 'WORKED'

type Way = 'kill' | 'end'

/** Goal P15: how long anybody waits for a decision when one of two workers goes. */
export const lostWorkers = row<{ stations: number; asking: number; times: number; ways: readonly Way[] }>({
  id: 'P15',
  fault: 'one of two workers is killed, or told to end',
  needsProcesses: true,
  sizes: {
    small: { stations: 4, asking: 6, times: 1, ways: ['end'] },
    full: { stations: 20, asking: 30, times: 5, ways: ['kill', 'end'] },
  },
  async run(rig, { stations, asking, times, ways }) {
    const nemesis = new Nemesis(rig, 'P15')
    const fleet = await Fleet.open(rig, prefix, stations)
    const neighbours = await Neighbours.open(rig, 'ASKING', asking)
    const recoveries = new Latencies()
    const waits: Record<Way, number[]> = { kill: [], end: [] }
    const lose = (how: Way, index: number) => async () => {
      await sleep(500)
      await nemesis[how]('workers', index)
      await recoveries.measure(fleet.served())
    }
    await fleet.during(async () => {
      for (let turn = 0; turn < times && !rig.isOver; turn += 1) {
        for (const how of ways) {
          const index = nemesis.pick('workers')
          waits[how].push((await neighbours.during(lose(how, index)(), 20)).at(1))
          await nemesis.start('workers', index)
          // The partitions move once more, to the one that came back.
          await fleet.served()
          await sleep(2_000)
        }
      }
    })
    await fleet.settled()
    const injected = waits.kill.length + waits.end.length
    const invariants = await checkInvariants(rig, fleet, { times: injected, each: recoveries, goalSeconds: 7 })
    neighbours.close()
    await fleet.stop()
    return {
      injected: `${waits.kill.length} kills and ${waits.end.length} ends under ${stations + asking} stations`,
      invariants,
      figures: [
        none('askers refused', neighbours.troubles),
        atMost('worst wait, killed', Math.max(0, ...waits.kill) / 1_000, 7, 's'),
        atMost('worst wait, told to end', Math.max(0, ...waits.end) / 1_000, 0.5, 's'),
        shown('waits, killed', waits.kill.map((ms) => (ms / 1_000).toFixed(2)).join(' ')),
        shown('waits, told to end', waits.end.map((ms) => (ms / 1_000).toFixed(2)).join(' ')),
      ],
    }
  },
})
