import { setTimeout as sleep } from 'node:timers/promises'
import { readLogEnds } from '../support/log-ends.js'
import { until } from '../support/system.js'
import type { Fleet } from './fleet.js'
import type { Recoveries } from './invariants.js'
import type { Nemesis } from './nemesis.js'
import { Latencies, type Rig } from './rig.js'

/** One way to take something away from the system, and to give it back. */
export interface Injection {
  name: string
  inject(): unknown
  heal(): unknown
}

export interface Schedule {
  times: number
  awaySeconds: number
  /** In which all is as before, once it is given back. */
  goalSeconds: number
}

/**
 * Takes one thing away after the other, each at a moment of the seed's, and measures how long the stations and the
 * services' backlog take once it is back.
 * @param meanwhile what is looked at while it is away
 */
export async function playInjections(
  fleet: Fleet,
  nemesis: Nemesis,
  { times, awaySeconds, goalSeconds }: Schedule,
  injections: readonly Injection[],
  meanwhile: (injection: Injection) => Promise<unknown> = async () => {},
): Promise<Recoveries> {
  const { rig } = fleet
  const each = new Latencies()
  const order = rig.random.shuffled(injections)
  for (let index = 0; index < times && !rig.isOver; index += 1) {
    const injection = order[index % order.length] as Injection
    await sleep(rig.random.integer(500, 2_000))
    nemesis.tell(injection.name)
    await injection.inject()
    await Promise.all([sleep(awaySeconds * 1_000), meanwhile(injection)])
    nemesis.tell(`no more: ${injection.name}`)
    await injection.heal()
    await each.measure(Promise.all([fleet.served(), caughtUp(rig)]))
  }
  return { times: each.count, each, goalSeconds }
}

/** The services have applied all that the log holds at this moment. */
export async function caughtUp(rig: Rig, timeoutMs = 300_000): Promise<void> {
  const ends = await until('the log tells its ends', () => readLogEnds(rig.system).catch(() => null), timeoutMs)
  const isCaughtUp = async () => {
    const rows = await rig.query<{ place: string; next: string }>(
      `SELECT topic || '/' || partition AS place, next::text FROM consumer_offset`,
    )
    return rows.every(({ place, next }) => BigInt(next) >= (ends.get(place) ?? 0n))
  }
  await until('the services have caught up', () => isCaughtUp().catch(() => false), timeoutMs)
}
