import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatTimestamp, isLenientDateTime, isStrictDateTime, parseTimestamp } from './timestamp.js'

const runs = Number(process.env.PROPERTY_RUNS ?? 2_000)
const receivedAt = new Date('2026-03-04T05:06:07.890Z')

test('what we write is strict and read back to the millisecond', () => {
  const dates = fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  fc.assert(
    fc.property(dates, (date) => {
      const text = formatTimestamp(date)
      expect(isStrictDateTime(text) && isLenientDateTime(text)).toBe(true)
      expect(parseTimestamp(text, receivedAt)).toEqual({ at: date, guessed: false })
    }),
    { numRuns: runs },
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
    { numRuns: runs },
  )
})

test('no text makes a date that is not one', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:?\d\d)?$/), (text) => {
      expect(Number.isNaN(parseTimestamp(text, receivedAt).at.getTime())).toBe(false)
    }),
    { numRuns: runs },
  )
})
