import { isPlausibleClock } from './keys.js'

/** An integer as Postgres holds it (int4), not negative; null for anything else. */
export function toInt4(value: number | null): number | null {
  return value !== null && Number.isInteger(value) && value >= 0 && value <= 0x7fffffff ? value : null
}

/** When it happened by the station's clock. A year that ISO 8601 or Postgres write otherwise counts as no clock. */
export function stationTime(
  { at, guessed }: { at: Date; guessed: boolean },
  receivedAt: Date,
): { at: Date; isPlausible: boolean } {
  const isTime = at.getUTCFullYear() >= 1 && at.getUTCFullYear() <= 9999
  return { at: isTime ? at : receivedAt, isPlausible: isTime && !guessed && isPlausibleClock(at, receivedAt) }
}

/** Reads a payload once, though load and decide both ask for it. */
export function readOnce<Reading>(read: (payload: unknown, receivedAt: Date) => Reading) {
  const readings = new WeakMap<object, Reading>()
  return (payload: object, receivedAt: Date): Reading => {
    const known = readings.get(payload)
    if (known !== undefined) return known
    const reading = read(payload, receivedAt)
    readings.set(payload, reading)
    return reading
  }
}
