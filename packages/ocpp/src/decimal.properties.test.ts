import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addDecimals, compareDecimals, parseDecimal, shiftDecimal, subtractDecimals } from './decimal.js'

const runs = Number(process.env.PROPERTY_RUNS ?? 300)

test('sums and differences undo each other, and order is that of the numbers', () => {
  const decimals = fc
    .tuple(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), fc.integer({ min: -10, max: 10 }))
    .map(([unscaled, power]) => shiftDecimal(String(unscaled), power))
  fc.assert(
    fc.property(decimals, decimals, (a, b) => {
      expect(subtractDecimals(addDecimals(a, b), b)).toBe(a)
      expect(Math.sign(compareDecimals(a, b)) + Math.sign(compareDecimals(b, a))).toBe(0)
      expect(compareDecimals(a, a)).toBe(0)
      expect(parseDecimal(a)).toBe(a)
    }),
    { numRuns: runs },
  )
})
