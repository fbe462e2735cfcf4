import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Pace } from './pace.js'

/** When each of so many requests that come at once goes on, in milliseconds; null: not at all. */
function turnsOf(pace: Pace, caller: string, count: number, now = 0): (number | null)[] {
  return Array.from({ length: count }, () => {
    const { waitMs, isTaken } = pace.take(caller, now)
    return isTaken ? now + waitMs : null
  })
}

test('half a second of the pace goes on at once, a second of it waits for its turn, the rest is refused', () => {
  const turns = turnsOf(new Pace(12_000), 'key', 2_000)

  const waiting = turns.filter((turn): turn is number => turn !== null && turn > 0)
  expect(turns.filter((turn) => turn === 0)).toHaveLength(100)
  expect(waiting).toHaveLength(198)
  const gaps = waiting.slice(1).map((turn, index) => turn - (waiting[index] ?? 0))
  expect(new Set(gaps)).toEqual(new Set([5, 6]))
  expect(turns.slice(298)).toEqual(Array(1_702).fill(null))
})

test('a caller does not wait for another', () => {
  const pace = new Pace(600)
  turnsOf(pace, 'flood', 1_000)

  expect(turnsOf(pace, 'other', 10)).toEqual(Array(10).fill(0))
})

test('a caller that rested may hurry again', () => {
  const pace = new Pace(600)
  turnsOf(pace, 'key', 1_000)

  expect(turnsOf(pace, 'key', 10, 3_000)).toEqual(Array(10).fill(3_000))
})

test('the turn that a refused caller is told is free then', () => {
  const pace = new Pace(60)
  turnsOf(pace, 'key', 10)
  const { waitMs, isTaken } = pace.take('key', 0)

  expect(isTaken).toBe(false)
  expect(pace.take('key', waitMs)).toMatchObject({ isTaken: true })
})

test('whatever comes when, no minute lets more in than it may', () => {
  const gap = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 500 }))
  const gaps = fc.array(gap, { minLength: 600, maxLength: 900 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), gaps, (perMinute, waits) => {
      const pace = new Pace(perMinute)
      let now = 0
      const turns = waits.flatMap((gap) => {
        now += gap
        const { waitMs, isTaken } = pace.take('key', now)
        return isTaken ? [now + waitMs] : []
      })
      // One more within the minute would be one too many; turns are whole milliseconds away.
      for (const [index, turn] of turns.entries()) {
        const last = turns[index + perMinute]
        if (last !== undefined) expect(last - turn).toBeGreaterThanOrEqual(60_000 - 1)
      }
    }),
    { numRuns: 50 },
  )
})
