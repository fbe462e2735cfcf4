import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextAttemptAt } from './next-attempt.js'

const now = new Date('2026-03-01T10:00:00Z')
const expiresAt = new Date('2026-03-02T10:00:00Z')

test('the pauses double up to an hour', () => {
  const pauses = [1, 2, 3, 10, 11, 30].map((failed) => {
    const at = nextAttemptAt(failed, { now, expiresAt, random: 1, retryAfterMs: null })
    return ((at?.getTime() ?? 0) - now.getTime()) / 1_000
  })
  expect(pauses).toEqual([5, 10, 20, 2_560, 3_600, 3_600])
})

test('an attempt is never before half of its pause, never after its hour, never past its time', () => {
  const anything = fc.record({
    failed: fc.integer({ min: 1, max: 2_000 }),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
    leftMs: fc.integer({ min: 0, max: 86_400_000 }),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 2 ** 40 })),
  })
  fc.assert(
    fc.property(anything, ({ failed, random, leftMs, retryAfterMs }) => {
      const end = new Date(now.getTime() + leftMs)
      const at = nextAttemptAt(failed, { now, expiresAt: end, random, retryAfterMs })
      const earliestMs = Math.min(3_600_000, 5_000 * 2 ** (failed - 1)) / 2
      if (!at) {
        expect(leftMs).toBeLessThanOrEqual(3_600_000)
        return
      }
      expect(at.getTime() - now.getTime()).toBeGreaterThanOrEqual(Math.floor(earliestMs))
      expect(at.getTime() - now.getTime()).toBeLessThanOrEqual(3_600_000)
      expect(at.getTime()).toBeLessThan(end.getTime())
    }),
  )
})
