import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, type Rig } from '../rig.js'
import { row, shown } from '../row.js'

const prefix = 'BATCH'

/** With the tokens locked every worker waits in the middle of a batch; one of them is failed there. */
async function inMidBatch(rig: Rig, fail: () => void | Promise<void>): Promise<void> {
  const lock = await rig.system.database.connect()
  try {
    await lock.query('BEGIN')
    await lock.query('LOCK TABLE token IN ACCESS EXCLUSIVE MODE')
    await sleep(300)
    await fail()
  } finally {
    await lock.query('COMMIT')
    lock.release()
  }
}

/** Commits that came too late, in the workers that run. */
async function refusedCommits(rig: Rig): Promise<number> {
  const lines = (await rig.metrics('workers')).flatMap((text) => text.split('\n'))
  const counters = lines.filter((line) => line.startsWith('busbar_consumer_conflicts_total{'))
  return counters.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

export const lostWorkersInMidBatch = row({
  id: 'F12',
  fault: 'a worker is killed or frozen in the middle of a batch',
  needsProcesses: true,
  sizes: { small: { stations: 10, times: 2 }, full: { stations: 50, times: 200 } },
  async run(rig, { stations, times }) {
    const nemesis = new Nemesis(rig, 'F12')
    const fleet = await Fleet.open(rig, prefix, stations)
    const recoveries = new Latencies()
    const done = { kill: 0, freeze: 0 }
    let refused = 0
    const lose = {
      async kill(index: number) {
        await inMidBatch(rig, () => nemesis.kill('workers', index))
        await recoveries.measure(fleet.served())
        await nemesis.start('workers', index)
      },
      async freeze(index: number) {
        const before = await refusedCommits(rig)
        await inMidBatch(rig, () => nemesis.freeze('workers', index))
        await recoveries.measure(fleet.served())
        nemesis.thaw('workers', index)
        await fleet.served()
        refused += (await refusedCommits(rig)) - before
      },
    }
    await fleet.during(async () => {
      for (let turn = 0; turn < times && !rig.isOver; turn += 1) {
        await sleep(rig.random.integer(500, 2_000))
        const how = turn % 2 === 0 ? 'kill' : 'freeze'
        await lose[how](nemesis.pick('workers'))
        done[how] += 1
      }
    })
    await fleet.settled()
    const recovery = { times: done.kill + done.freeze, each: recoveries, goalSeconds: 60 }
    const invariants = await checkInvariants(rig, fleet, recovery)
    await fleet.stop()
    return {
      injected: `${done.kill} kills and ${done.freeze} freezes under ${stations} stations`,
      invariants,
      figures: [
        shown('recovery, p50', recoveries.at(0.5) / 1_000, 's'),
        shown('commits refused to those that were frozen', refused),
      ],
    }
  },
})
