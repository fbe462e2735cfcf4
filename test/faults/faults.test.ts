import { afterAll, beforeAll, expect, test } from 'vitest'
import { play, startRig } from './play.js'
import type { TestBed } from './rig.js'
import { rows } from './rows/index.js'

const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000)
let bed: TestBed

beforeAll(async () => {
  bed = await startRig()
})
afterAll(() => bed?.stop())

test.each(rows.map((row) => [row.id, row.fault, row] as const))(
  `%s: %s (seed ${seed})`,
  async (_id, _fault, row) => {
    const { figures, injected, seconds } = await play(row, 'small', bed, seed, 1)
    console.log(
      `${row.id}: ${injected} in ${seconds.toFixed(1)} s; ${figures.map((each) => `${each.name} ${each.value}`).join(', ')}`,
    )
    expect(figures.filter(({ isMet, isTiming }) => !isMet && !isTiming)).toEqual([])
  },
  120_000,
)
