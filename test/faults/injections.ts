import { setTimeout as sleep } from 'node:timers/promises'
import type { Fleet } from './fleet.js'
import type { Recoveries } from './invariants.js'
import type { Nemesis } from './nemesis.js'
import { Latencies, type Rig } from './rig.js'

/** One way to take something away from the system, and to give it back. */
export interface Injection {
  name: string
  inject(): unknown
  /** Left out where nothing stays away: something was lost, and that was all. */
  heal?(): unknown
}

export interface Schedule {
  /** In turns; the first turn of each is played whatever the clock says. */
  times: number
  /** As long as the row's time leaves for each of them, at most. */
  awaySeconds: number
  /** In which all is as before, once it is given back. */
  goalSeconds: number
}

/** What is looked at besides. */
export interface Watch {
  /** While it is away. @param awaySeconds how long that is */
  meanwhile?(injection: Injection, awaySeconds: number): Promise<unknown>
  /** From the moment when it is back. */
  afterwards?(): Promise<unknown>
}

/** How long each stays away: as was asked, or as the row's time leaves for each. */
export function secondsAway(rig: Rig, asked: number, injections: readonly Injection[]): number {
  return rig.share(asked, injections.filter(({ heal }) => heal).length)
}

/**
 * Takes one thing away after the other, each at a moment of the seed's, and measures how long the stations and the
 * services' backlog take once it is back.
 * @returns awaySeconds: of each that stayed away
 */
export async function playInjections(
  fleet: Fleet,
  nemesis: Nemesis,
  { times, awaySeconds: asked, goalSeconds }: Schedule,
  injections: readonly Injection[],
  { meanwhile, afterwards }: Watch = {},
): Promise<Recoveries & { awaySeconds: number }> {
  const { rig } = fleet
  const each = new Latencies()
  const order = rig.random.shuffled(injections)
  const awaySeconds = secondsAway(rig, asked, injections)
  for (let index = 0; index < times && (index < order.length || !rig.isOver); index += 1) {
    const injection = order[index % order.length] as Injection
    await sleep(rig.random.integer(500, 2_000))
    nemesis.tell(injection.name)
    await injection.inject()
    if (injection.heal) {
      await Promise.all([sleep(awaySeconds * 1_000), meanwhile?.(injection, awaySeconds)])
      nemesis.tell(`no more: ${injection.name}`)
      await injection.heal()
    }
    await Promise.all([each.measure(Promise.all([fleet.served(), rig.caughtUp()])), afterwards?.()])
  }
  return { times: each.count, each, goalSeconds, awaySeconds }
}
