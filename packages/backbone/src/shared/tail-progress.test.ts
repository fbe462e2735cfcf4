import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backFromEnd } from './tail-progress.js'

test.each<[number, bigint[]]>([
  [0, [20n, 7n]],
  [4, [18n, 5n]],
  [10, [15n, 2n]],
  // The second has seven records only: the first gives the rest.
  [16, [11n, 0n]],
  [100, [5n, 0n]],
])('the last %i records of 5 to 20 and 0 to 7 begin as far back in both', (last, starts) => {
  const ranges = [
    { low: 5n, high: 20n },
    { low: 0n, high: 7n },
  ]
  expect(backFromEnd(ranges, last)).toEqual(starts)
})

test('never more than asked, all where there are fewer, and nothing that is not there', () => {
  const range = fc
    .tuple(fc.bigInt({ min: 0n, max: 1_000n }), fc.bigInt({ min: 0n, max: 1_000n }))
    .map(([low, length]) => ({ low, high: low + length }))
  fc.assert(
    fc.property(fc.array(range, { maxLength: 20 }), fc.integer({ min: 0, max: 20_000 }), (ranges, last) => {
      const lengths = backFromEnd(ranges, last).map((start, index) => (ranges[index]?.high ?? 0n) - start)
      lengths.forEach((length, index) => {
        expect(length).toBeGreaterThanOrEqual(0n)
        expect(length).toBeLessThanOrEqual((ranges[index]?.high ?? 0n) - (ranges[index]?.low ?? 0n))
      })
      const there = ranges.reduce((sum, { low, high }) => sum + high - low, 0n)
      const given = lengths.reduce((sum, length) => sum + length, 0n)
      expect(given).toBe(there < BigInt(last) ? there : BigInt(last))
    }),
  )
})
