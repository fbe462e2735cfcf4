import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasServices } from '../support/system.js'
import { play, startRig } from './play.js'
import type { TestBed } from './rig.js'
import { rows } from './rows/index.js'
import { canOwnServices, type OwnServices, startOwnServices } from './services/own-services.js'

const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000)

function testRows(isOwn: boolean, bed: () => TestBed): void {
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

describe('on services that others use too', () => {
  let bed: TestBed
  beforeAll(async () => {
    bed = await startRig()
  })
  afterAll(() => bed?.stop())
  testRows(false, () => bed)
})

describe.skipIf(!canOwnServices())('on services of our own', () => {
  let services: OwnServices
  let bed: TestBed
  beforeAll(async () => {
    services = await startOwnServices()
    bed = await startRig(services)
  })
  afterAll(async () => {
    await bed?.stop()
    await services?.stop()
  })
  testRows(true, () => bed)
})
