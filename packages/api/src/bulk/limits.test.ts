import { expect, test } from 'vitest'
import { needsApproval, switchedAlonePerMinute, unapprovedPerMinute } from './limits.js'

test.each([
  [0, 1],
  [9, 1],
  [100, 10],
  [499, 49],
  [500, 50],
  [100_000, 50],
])('a fleet of %i has %i stations a minute without approval', (fleet, limit) => {
  expect(unapprovedPerMinute(fleet)).toBe(limit)
})

test('command by command it is as many, but never less than ten', () => {
  expect([3, 100, 499, 10_000].map(switchedAlonePerMinute)).toEqual([10, 10, 49, 50])
})

test('more than 50 stations, or more than a tenth of the fleet a minute, needs approval', () => {
  const alone = (stations: number, pacePerMinute: number, open = 0) =>
    needsApproval({ stations, pacePerMinute }, 200, open)
  expect(alone(50, 20)).toBe(false)
  expect(alone(51, 20)).toBe(true)
  expect(alone(21, 21)).toBe(true)
  expect(alone(20, 6_000)).toBe(false)
  // Many small ones are one large one.
  expect(alone(10, 20, 40)).toBe(false)
  expect(alone(11, 20, 40)).toBe(true)
})
