import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AsyncApiCheck } from '../../support/asyncapi-check.js'
import { type Doors, makeDoors } from '../../support/doors.js'
import type { System } from '../../support/system.js'
import type { Exchange } from '../strict-station.js'
import { Bench } from './bench.js'
import { cases } from './cases/index.js'
import { type Row, rows } from './rows.js'

declare module 'vitest' {
  interface TaskMeta {
    exchanges?: Exchange[]
  }
}

/** Long enough for a time-out of the gateway, twice. */
const caseMs = 120_000

/** The catalogue order and, in a full run, three seeded random ones, all against one station. */
function orders(): { order: string; sequence: readonly Row[] }[] {
  const catalogue = { order: 'catalogue order', sequence: rows }
  if (process.env.CONFORMANCE_FULL !== '1') return [catalogue]
  return [catalogue, ...[1, 2, 3].map((seed) => ({ order: `random order ${seed}`, sequence: shuffled(rows, seed) }))]
}

function shuffled<T>(list: readonly T[], seed: number): T[] {
  let state = seed
  // mulberry32: small, and the same on every machine.
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const result = [...list]
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[result[last], result[other]] = [result[other] as T, result[last] as T]
  }
  return result
}

/** One test per case, its title beginning with the case's id. */
export function playCatalogue(setUp: string, start: (env: Record<string, string>) => Promise<System>): void {
  describe(`ocpp1.6, ${setUp}`, () => {
    let system: System
    let bench: Bench
    let doors: Doors
    beforeAll(async () => {
      doors = await makeDoors()
      system = await start({
        ...doors.env,
        BUSBAR_GATEWAY_TRUST_POLL_SECONDS: '1',
        BUSBAR_GATEWAY_ALLOW_PROFILE_0: 'true',
        // So that a half-open link is found within the test's time.
        BUSBAR_GATEWAY_PING_INTERVAL_SECONDS: '1',
      })
      bench = await Bench.open(system, doors)
    })
    afterAll(async () => {
      try {
        // No case of its own: whatever the cases made travel is as it is documented.
        const { faults, events } = await (await AsyncApiCheck.of(system)).findFaultsIn(system)
        expect(faults).toEqual([])
        expect(events).toContain('station.connected')
      } finally {
        await system?.stop()
        await doors?.remove()
      }
    })

    describe.each(orders())('in $order', ({ sequence }) => {
      for (const { id, title } of sequence) {
        test(`${id} ${title}`, { timeout: caseMs }, async ({ task }) => {
          task.meta.exchanges = await bench.play(cases[id])
        })
      }
    })
  })
}
