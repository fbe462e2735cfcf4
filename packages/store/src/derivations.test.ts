import { expect, test } from 'vitest'
import { deriveScrypt, type Standing } from './derivations.js'
import { UnavailableError } from './errors.js'

const derive = (standing: Standing) =>
  deriveScrypt(Buffer.from('password'), Buffer.from('salt'), 32, { N: 1_024, r: 8, p: 1 }, standing)

test('who gave wrong passwords waits for those who did not', async () => {
  const order: Standing[] = []
  const come = (standing: Standing, count: number) =>
    Array.from({ length: count }, () => derive(standing).then(() => order.push(standing)))
  await Promise.all([...come('suspect', 20), ...come('clean', 20)])

  // Two are at work when the others come, and one of two threads at most is a suspect's.
  expect(order.slice(0, 22).filter((standing) => standing === 'clean')).toHaveLength(20)
  expect(order).toHaveLength(40)
})

test('beyond a hundred that wait, suspects are turned away and the others are not', async () => {
  const suspects = Array.from({ length: 120 }, () =>
    derive('suspect').then(
      () => null,
      (cause: unknown) => cause,
    ),
  )
  const clean = Array.from({ length: 120 }, () => derive('clean'))

  expect((await Promise.all(clean)).every((key) => key.length === 32)).toBe(true)
  const turnedAway = (await Promise.all(suspects)).filter((cause) => cause !== null)
  expect(turnedAway).toHaveLength(19)
  expect(turnedAway[0]).toBeInstanceOf(UnavailableError)
})
