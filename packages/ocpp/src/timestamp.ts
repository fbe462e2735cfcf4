// Date, time, fraction and zone apart; a blank instead of the T, a missing zone and a zone of hours only are all sent
// by stations in the field.
const timestampPattern =
  /^\s*(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?\s*$/

const strictPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/

/** As formatTimestamp writes, from 1970 on. */
const writtenPattern = /^(?:19[7-9]|[2-9]\d\d)\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** When something happened, as far as the station could tell. */
export interface ReadTimestamp {
  at: Date
  /** True when the text could not be read and `at` is the time of receipt. */
  guessed: boolean
}

/**
 * Reads a station's time. One without a zone is UTC, as OCPP asks of the clock (1.6 §3.13).
 * Missing, "0" and garbage become the time of receipt, marked as guessed. Never throws.
 */
export function parseTimestamp(text: unknown, receivedAt: Date): ReadTimestamp {
  const at = typeof text === 'string' ? readDateTime(text) : null
  return at ? { at, guessed: false } : { at: receivedAt, guessed: true }
}

/** True when the text says nothing about its zone, so that it was taken for UTC. */
export function lacksZone(text: unknown): boolean {
  if (typeof text !== 'string' || text.endsWith('Z')) return false
  const parts = timestampPattern.exec(text)
  return parts !== null && parts[8] === undefined && parts[9] === undefined
}

/** RFC 3339 in UTC with milliseconds, the only form we send (2.0.1 allows no finer fraction). */
export function formatTimestamp(date: Date): string {
  return date.toISOString()
}

/** What we let in: whatever parseTimestamp can read, and the "0" of a clock that was never set. */
export function isLenientDateTime(text: string): boolean {
  return text === '0' || readDateTime(text) !== null
}

/** What we send: UTC with Z, at most milliseconds, a day that exists. */
export function isStrictDateTime(text: string): boolean {
  return strictPattern.test(text) && readDateTime(text) !== null
}

function readDateTime(text: string): Date | null {
  // What we write, and most stations too: the engine's own reader is faster, and on this form it errs only in days that
  // a month does not have, or in the hour 24: both become another day.
  if (writtenPattern.test(text)) {
    const at = new Date(text)
    if (at.getUTCDate() === Number(text.slice(8, 10))) return at
  }
  const parts = timestampPattern.exec(text)
  if (!parts) return null
  const [year, month, day, hour, minute] = [1, 2, 3, 4, 5].map((index) => Number(parts[index])) as NumberParts
  const second = Number(parts[6] ?? 0)
  // 60 is a leap second and becomes the next minute.
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null
  if (hour > 23 || minute > 59 || second > 60) return null
  const millisecond = Math.trunc(Number(`0.${parts[7] ?? 0}`) * 1000)
  const sign = parts[9] === '-' ? -1 : 1
  const offsetMinutes = sign * (Number(parts[10] ?? 0) * 60 + Number(parts[11] ?? 0))
  const at = new Date(0)
  // setUTCFullYear, because Date.UTC takes the years 0 to 99 for 1900 to 1999.
  at.setUTCFullYear(year, month - 1, day)
  at.setUTCHours(hour, minute - offsetMinutes, second, millisecond)
  return at
}

type NumberParts = [year: number, month: number, day: number, hour: number, minute: number]

function daysIn(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31
}
