import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Gathering } from './gathering.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const records = (topic: string, count = 1) => Array.from({ length: count }, () => ({ topic }))

test('a topic that nobody waits for rests after a batch, the others do not', () => {
  const onOver = vi.fn()
  const gathering = new Gathering(['events'], onOver)
  expect(gathering.delivered(records('lane'))).toBe(false)
  expect(gathering.delivered([...records('lane'), ...records('events')])).toBe(true)
  expect([gathering.isResting('events'), gathering.isResting('lane')]).toEqual([true, false])

  vi.advanceTimersByTime(200)
  expect(onOver).toHaveBeenCalledOnce()
  expect(gathering.isResting('events')).toBe(false)
})

test('who is behind does not rest', () => {
  const gathering = new Gathering(['events'], () => {})
  expect(gathering.delivered(records('events', 500))).toBe(false)
  expect(gathering.delivered(records('events', 499))).toBe(true)
})

test('after the stop nothing is read again', () => {
  const onOver = vi.fn()
  const gathering = new Gathering(['events'], onOver)
  gathering.delivered(records('events'))
  gathering.stop()
  gathering.delivered(records('events'))
  vi.advanceTimersByTime(1_000)
  expect(onOver).not.toHaveBeenCalled()
})
