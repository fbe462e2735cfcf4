import { expect, test } from 'vitest'
import { hasServices } from '../support/system.js'
import { play } from './play.js'
import type { TestBed } from './rig.js'
import { rows } from './rows/index.js'

const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000)

/** Each row at size small. @param isOwn those that need services of their own, or all others */
export function testRows(isOwn: boolean, bed: () => TestBed): void {
  for (const row of rows.filter(({ needsOwnServices = false }) => needsOwnServices === isOwn)) {
    const isRun = isOwn || !row.needsProcesses || hasServices()
    test.runIf(isRun)(`${row.id}: ${row.fault} (seed ${seed})`, { timeout: 120_000 }, async () => {
      const { invariants, figures, injected, seconds } = await play(row, 'small', bed(), seed, 1)
      const all = [...invariants, ...figures]
      console.log(
        `${row.id}: ${injected} in ${seconds.toFixed(1)} s; ${all.map((each) => `${each.name} ${each.value}`).join(', ')}`,
      )
      expect(all.filter(({ isMet, isTiming }) => !isMet && !isTiming)).toEqual([])
    })
  }
}
