import { expect, test } from 'vitest'
import { addDecimals, parseDecimal, roundDecimal, shiftDecimal, subtractDecimals } from './decimal.js'

test.each([
  ['7', '7'],
  ['+7', '7'],
  ['007.50', '7.5'],
  ['.5', '0.5'],
  ['5.', '5'],
  ['-0.0', '0'],
  ['-0.5', '-0.5'],
  ['1.25e3', '1250'],
  ['125E-4', '0.0125'],
  ['1234567890123456789.0123456789', '1234567890123456789.0123456789'],
])('%s is read as %s', (text, decimal) => {
  expect(parseDecimal(text)).toBe(decimal)
})

test.each(['', '.', '-', 'e5', '1e', 'NaN', 'Infinity', '0x10', '1 2', '1,5', '1e99', '9'.repeat(61), '١'])(
  '%j is no decimal',
  (text) => {
    expect(parseDecimal(text)).toBeNull()
  },
)

test.each([
  ['0.5', 1n],
  ['0.49', 0n],
  ['-0.5', -1n],
  ['-0.49', 0n],
  ['12345678901234567890.5', 12345678901234567891n],
  ['3', 3n],
])('%s rounds to %s', (decimal, rounded) => {
  expect(roundDecimal(decimal)).toBe(rounded)
})

test('a prefix of a unit moves the point and no digit', () => {
  expect(shiftDecimal('1.0625', 3)).toBe('1062.5')
  expect(shiftDecimal('5', -3)).toBe('0.005')
  expect(shiftDecimal('0', 3)).toBe('0')
})

test('differences of registers are exact where doubles are not', () => {
  expect(subtractDecimals('0.3', '0.1')).toBe('0.2')
  expect(addDecimals('9007199254740993', '0.25')).toBe('9007199254740993.25')
})
