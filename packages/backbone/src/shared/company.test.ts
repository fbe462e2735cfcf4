import { expect, test } from 'vitest'
import { Company } from './company.js'

/** Records of so many stations in turn, one every `everyMs`; whether the last one is to wait. */
function afterSecond(stations: number, everyMs: number): boolean {
  const company = new Company(20)
  let expected = false
  for (let at = 0; at <= 1_000; at += everyMs) expected = company.isExpected(`CP-${(at / everyMs) % stations}`, at)
  return expected
}

test.each([
  ['one station alone, however fast', 1, 1, false],
  ['a few now and then', 50, 20, false],
  ['300 a second', 300, 1_000 / 300, true],
])('%s', (_, stations, everyMs, expected) => {
  expect(afterSecond(stations, everyMs)).toBe(expected)
})

test('company that has gone is not waited for', () => {
  const company = new Company(20)
  for (let at = 0; at < 1_000; at += 2) company.isExpected(`CP-${at}`, at)
  expect(company.isExpected('CP-1', 1_001)).toBe(true)
  expect(company.isExpected('CP-2', 2_000)).toBe(false)
})
