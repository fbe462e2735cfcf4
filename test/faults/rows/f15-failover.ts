import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet } from '../fleet.js'
import { caughtUp } from '../injections.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, type Rig } from '../rig.js'
import { exactly, row } from '../row.js'

const prefix = 'F15'

/** How much of the log counts as applied, by Postgres. */
async function appliedRecords(rig: Rig): Promise<number> {
  const [row] = await rig.query<{ sum: string }>('SELECT sum(next) FROM consumer_offset')
  return Number(row?.sum)
}

export const failover = row({
  id: prefix,
  fault:
    'the Postgres in use dies and its standby takes over, in turn one that has all commits and one that lost the last',
  needsOwnServices: true,
  sizes: {
    small: { stations: 9, times: 1, lostSeconds: 2 },
    full: { stations: 60, times: 10, lostSeconds: 10 },
  },
  async run(rig, { stations, times, lostSeconds }) {
    const { postgres } = rig.services
    const nemesis = new Nemesis(rig, prefix)
    const fleet = await Fleet.open(rig, prefix, stations)
    const each = new Latencies()
    let [behind, lost] = [0, 0]
    await fleet.during(async () => {
      for (let index = 0; index < times && !rig.isOver; index += 1) {
        await sleep(rig.random.integer(500, 2_000))
        const losesCommits = index % 2 === 0
        if (losesCommits) {
          nemesis.tell('the standby hears no more, and nobody waits for it')
          await postgres.waitForStandby(false)
          postgres.replication.cut()
          await sleep(lostSeconds * 1_000)
          behind += 1
        }
        const applied = await appliedRecords(rig)
        nemesis.tell('the primary dies, its standby takes over')
        await postgres.failOver()
        postgres.replication.mend()
        if (losesCommits && (await appliedRecords(rig)) < applied) lost += 1
        await each.measure(Promise.all([fleet.served(), caughtUp(rig)]))
        nemesis.tell('all as before')
        await postgres.addStandby()
      }
    })
    await fleet.settled()
    const recoveries = { times: each.count, each, goalSeconds: 60 }
    const invariants = await checkInvariants(rig, fleet, recoveries)
    await fleet.stop()
    return {
      injected: `${each.count} failovers under ${stations} stations, ${behind} of them to a standby ${lostSeconds} s behind`,
      invariants,
      figures: [exactly('failovers that lost commits', lost, behind)],
    }
  },
})
