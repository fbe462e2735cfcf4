import { afterAll, beforeAll, describe } from 'vitest'
import { startRig } from './play.js'
import type { TestBed } from './rig.js'
import { testRows } from './test-rows.js'

describe('on services that others use too', () => {
  let bed: TestBed
  beforeAll(async () => {
    bed = await startRig()
  })
  afterAll(() => bed?.stop())
  testRows(false, () => bed)
})
