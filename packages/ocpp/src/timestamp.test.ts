import { expect, test } from 'vitest'
import { parseTimestamp } from './timestamp.js'

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
