import { expect, test } from 'vitest'
import { paceOf } from './drain.js'

test('few sockets are closed quickly, many within the time given', () => {
  expect(paceOf(0, 60_000)).toBe(0)
  expect(paceOf(20, 60_000)).toBe(10)
  expect(paceOf(20_000, 60_000)).toBe(3)
  expect(paceOf(20_000, 0)).toBe(0)
})
