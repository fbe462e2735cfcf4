import { createTestDatabase, type Database, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BulkLock } from './lock.js'

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())

/** Another API process, in which time runs sixty times as fast. */
function hasty(): BulkLock {
  const session: Database['session'] = (run, { idleTimeoutMs = 0, ...limits } = {}) =>
    store.database.session(run, { ...limits, idleTimeoutMs: idleTimeoutMs / 60 })
  return new BulkLock({ ...store.database, session })
}

test.each(['hold', 'holdIfFree'] as const)('a process that hangs in %s loses it to the others', async (how) => {
  const other = new BulkLock(store.database)
  let [held, leave] = [() => {}, () => {}]
  const isHeld = new Promise<void>((resolve) => {
    held = resolve
  })
  const isLeft = new Promise<void>((resolve) => {
    leave = resolve
  })
  const hanging = hasty()[how](() => {
    held()
    return isLeft
  })
  const fails = expect(hanging).rejects.toThrow()
  await isHeld

  expect(await other.hold(async () => 'done')).toBe('done')

  leave()
  await fails
})
