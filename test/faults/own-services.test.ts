import { afterAll, beforeAll, describe } from 'vitest'
import { startRig } from './play.js'
import type { TestBed } from './rig.js'
import { canOwnServices, type OwnServices, startOwnServices } from './services/own-services.js'
import { testRows } from './test-rows.js'

/** In a file of its own: its rows mostly wait, and those of the other file may run beside them. */
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
