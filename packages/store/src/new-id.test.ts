import { expect, test } from 'vitest'
import { earliestId, newId } from './new-id.js'

test('an id is a UUID version 7 that carries its time', () => {
  const id = newId(Date.UTC(2031, 0, 2))

  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(Date.UTC(2031, 0, 2))
})

test('ids of one millisecond differ', () => {
  expect(new Set(Array.from({ length: 10_000 }, () => newId(0))).size).toBe(10_000)
})

test('no id of a time or later lies below the earliest of that time, and none before it above', () => {
  const at = Date.UTC(2031, 0, 2)
  const earliest = earliestId(new Date(at))

  expect([newId(at), newId(at + 1)].filter((id) => id < earliest)).toEqual([])
  expect(newId(at - 1) < earliest).toBe(true)
})
