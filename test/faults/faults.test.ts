import { afterAll, beforeAll, expect, test } from 'vitest'
import type { System } from '../support/system.js'
import { play, startRig } from './play.js'
import { rows } from './rows/index.js'

const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000)
let system: System

beforeAll(async () => {
  system = await startRig()
})
afterAll(() => system?.stop())

test.each(rows.map((row) => [row.id, row.fault, row] as const))(
  `%s: %s (seed ${seed})`,
  async (_id, _fault, row) => {
    const { figures, injected, seconds } = await play(row, 'small', system, seed, 1)
    console.log(
      `${row.id}: ${injected} in ${seconds.toFixed(1)} s; ${figures.map((each) => `${each.name} ${each.value}`).join(', ')}`,
    )
    expect(figures.filter(({ isMet, isTiming }) => !isMet && !isTiming)).toEqual([])
  },
  120_000,
)
