import { setTimeout as sleep } from 'node:timers/promises'
import { readTopic } from '../../support/topics.js'
import { Fleet } from '../fleet.js'
import { checkInvariants } from '../invariants.js'
import { Nemesis } from '../nemesis.js'
import { Latencies, type Rig } from '../rig.js'
import { exactly, row, shown } from '../row.js'

const prefix = 'F15'

/** In which the API's outbox is sent. */
const outboxMs = 1_000

/** Of a primary whose standby was behind, ms. */
interface Death {
  toldAt: number
  deadAt: number
}

/** How much of the log counts as applied, by Postgres. */
async function appliedRecords(rig: Rig): Promise<number> {
  const [row] = await rig.query<{ sum: string }>('SELECT sum(next) FROM consumer_offset')
  return Number(row?.sum)
}

/**
 * Takes those commands out of the fleet's that only the primary knew, in its last moments: the API writes to Postgres
 * alone, so what a standby that nobody waits for has not heard of is gone. What the log holds is not.
 */
async function forgetLostCommands(rig: Rig, fleet: Fleet, deaths: readonly Death[]): Promise<number> {
  const requests = await readTopic(rig.system, `${rig.system.topicPrefix}.commands`)
  const known = new Set(requests.map(({ value }) => JSON.parse(value.toString('utf8')).commandId))
  // The first 48 bits of an id are its time (UUIDv7).
  const madeAt = (id: string) => Number.parseInt(id.replace('-', '').slice(0, 12), 16)
  const isLost = (id: string) =>
    !known.has(id) && deaths.some(({ toldAt, deadAt }) => toldAt - outboxMs < madeAt(id) && madeAt(id) < deadAt)
  const kept = fleet.commands.filter((id) => !isLost(id))
  const lost = fleet.commands.length - kept.length
  fleet.commands.splice(0, fleet.commands.length, ...kept)
  return lost
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
    const deaths: Death[] = []
    let lost = 0
    await fleet.during(async () => {
      for (let index = 0; index < times && !rig.isOver; index += 1) {
        await sleep(rig.random.integer(500, 2_000))
        const losesCommits = index % 2 === 0
        if (losesCommits) {
          nemesis.tell('the standby hears no more, and nobody waits for it')
          await postgres.waitForStandby(false)
          postgres.replication.cut()
          await sleep(lostSeconds * 1_000)
        }
        const applied = await appliedRecords(rig)
        nemesis.tell('the primary dies, its standby takes over')
        const toldAt = Date.now()
        await postgres.primary.kill()
        if (losesCommits) deaths.push({ toldAt, deadAt: Date.now() })
        await postgres.failOver()
        postgres.replication.mend()
        if (losesCommits && (await appliedRecords(rig)) < applied) lost += 1
        await each.measure(Promise.all([fleet.served(), rig.caughtUp()]))
        nemesis.tell('all as before')
        await postgres.addStandby()
      }
    })
    await fleet.settled()
    const forgotten = await forgetLostCommands(rig, fleet, deaths)
    const recoveries = { times: each.count, each, goalSeconds: 60 }
    const invariants = await checkInvariants(rig, { ...fleet, losesCommits: true }, recoveries)
    await fleet.stop()
    return {
      injected: `${each.count} failovers under ${stations} stations, ${deaths.length} of them to a standby ${lostSeconds} s behind`,
      invariants,
      figures: [
        exactly('failovers that lost commits', lost, deaths.length),
        shown('commands that only the lost primary knew', forgotten),
      ],
    }
  },
})
