import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/system.js'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies } from '../rig.js'
import { row, shown } from '../row.js'

const prefix = 'F17'

export const unknownCommits = row({
  id: prefix,
  fault: 'the line to Postgres is cut at a commit, before it arrives or before it is confirmed',
  needsOwnServices: true,
  sizes: { small: { stations: 9, cuts: 8 }, full: { stations: 60, cuts: 1_000 } },
  async run(rig, { stations, cuts }) {
    const { postgres } = rig.services
    const nemesis = new Nemesis(rig, prefix)
    const fleet = await Fleet.open(rig, prefix, stations)
    const each = new Latencies()
    const done = { before: 0, after: 0 }
    await fleet.during(async () => {
      let armed: keyof typeof done | null = null
      postgres.link.judge = (user, sent) => {
        if (!armed || !user.startsWith('worker') || !sent.includes('COMMIT')) return 'pass'
        const fate = `cut-${armed}` as const
        done[armed] += 1
        armed = null
        return fate
      }
      for (let cut = 0; cut < cuts && !rig.isOver; cut += 1) {
        armed = rig.random.pick(['before', 'after'])
        await until('a worker commits', () => armed === null)
        await sleep(rig.random.integer(0, 200))
      }
      nemesis.tell(`${done.before + done.after} commits were cut`)
      postgres.link.mend()
      await each.measure(Promise.all([fleet.served(), rig.caughtUp()]))
    })
    await fleet.settled()
    const times = done.before + done.after
    const invariants = await checkInvariants(rig, fleet, { times, each, goalSeconds: 60 })
    await fleet.stop()
    return {
      injected: `${times} commits under ${stations} stations`,
      invariants,
      figures: [shown('cut before they arrived', done.before), shown('cut before they were confirmed', done.after)],
    }
  },
})
