import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatTimestamp, isLenientDateTime, isStrictDateTime, parseTimestamp } from './timestamp.js'

const receivedAt = new Date('2026-03-04T05:06:07.890Z')

test.each([
  ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
  ['2026-01-02T03:04:05.6789Z', '2026-01-02T03:04:05.678Z'],
  ['2026-01-02T03:04:05+02:00', '2026-01-02T01:04:05.000Z'],
  ['2026-01-02T03:04:05-0530', '2026-01-02T08:34:05.000Z'],
  ['2026-01-02T03:04:05+02', '2026-01-02T01:04:05.000Z'],
  ['2026-01-02T03:04:05', '2026-01-02T03:04:05.000Z'],
  ['2026-01-02T03:04:05.123', '2026-01-02T03:04:05.123Z'],
  ['2026-01-02 03:04:05', '2026-01-02T03:04:05.000Z'],
  ['2026-01-02T03:04Z', '2026-01-02T03:04:00.000Z'],
  ['2026-12-31T23:59:60Z', '2027-01-01T00:00:00.000Z'],
  ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
])('%s is %s', (text, at) => {
  expect(parseTimestamp(text, receivedAt)).toEqual({ at: new Date(at), guessed: false })
})

test.each(['0', '', 'garbage', '2026-13-01T00:00:00Z', '2026-02-30T00:00:00Z', undefined, null, 1767225600, {}])(
  '%j is the time of receipt, guessed',
  (text) => {
    expect(parseTimestamp(text, receivedAt)).toEqual({ at: receivedAt, guessed: true })
  },
)

test('what we write is strict and read back to the millisecond', () => {
  const dates = fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  fc.assert(
    fc.property(dates, (date) => {
      const text = formatTimestamp(date)
      expect(isStrictDateTime(text) && isLenientDateTime(text)).toBe(true)
      expect(parseTimestamp(text, receivedAt)).toEqual({ at: date, guessed: false })
    }),
  )
})

test('the short way for the form that we write reads what the long way reads', () => {
  const upTo = (max: number) => fc.integer({ min: 0, max }).map((part) => String(part).padStart(2, '0'))
  const years = fc.constantFrom('1969', '1970', '2023', '2024', '2100', '9999')
  fc.assert(
    fc.property(years, upTo(13), upTo(32), upTo(25), upTo(60), upTo(61), (year, month, day, hour, minute, second) => {
      const text = `${year}-${month}-${day}T${hour}:${minute}:${second}.500Z`
      expect(parseTimestamp(text, receivedAt)).toEqual(parseTimestamp(` ${text}`, receivedAt))
    }),
    { numRuns: 2_000 },
  )
})

test('no text makes a date that is not one', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:?\d\d)?$/), (text) => {
      expect(Number.isNaN(parseTimestamp(text, receivedAt).at.getTime())).toBe(false)
    }),
  )
})
