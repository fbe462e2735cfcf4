import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasServices } from '../support/system.js'
import { play, startRig } from './play.js'
import type { TestBed } from './rig.js'
import { rows } from './rows/index.js'

const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000)
let bed: TestBed

beforeAll(async () => {
  bed = await startRig()
})
afterAll(() => bed?.stop())

for (const row of rows) {
  const isRun = !row.needsProcesses || hasServices()
  test.runIf(isRun)(`${row.id}: ${row.fault} (seed ${seed})`, { timeout: 120_000 }, async () => {
    const { invariants, figures, injected, seconds } = await play(row, 'small', bed, seed, 1)
    const all = [...invariants, ...figures]
    console.log(
      `${row.id}: ${injected} in ${seconds.toFixed(1)} s; ${all.map((each) => `${each.name} ${each.value}`).join(', ')}`,
    )
    expect(all.filter(({ isMet, isTiming }) => !isMet && !isTiming)).toEqual([])
  })
}
