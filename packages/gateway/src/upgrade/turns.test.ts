import { UnavailableError } from '@busbar/store'
import { expect, test } from 'vitest'
import { Turns } from './turns.js'

/** Work that ends when the test says so; `begun` holds whose, in the order of their turns. */
function start() {
  const suspects = new Set<string>()
  const turns = new Turns((address) => suspects.has(address))
  const begun: string[] = []
  const ends: (() => void)[] = []
  const come = (address: string) =>
    turns.take(address, async () => {
      begun.push(address)
      await new Promise<void>((resolve) => ends.push(resolve))
      return address
    })
  /** Ends what has begun, one after the other, until so many have. */
  const endUntil = async (count: number) => {
    while (begun.length < count) {
      ends.shift()?.()
      await new Promise(setImmediate)
    }
  }
  return { suspects, begun, come, endUntil }
}

test('one address after the other has its turn, however many guesses each brings', async () => {
  const { begun, come, endUntil } = start()
  for (let guess = 0; guess < 50; guess++) void come('guesser')
  for (const address of ['a', 'b']) void come(address)

  await endUntil(6)
  expect(begun).toEqual(['guesser', 'guesser', 'guesser', 'a', 'b', 'guesser'])
})

test('who turns out a suspect waits for all others, with what it brought before as well', async () => {
  const { suspects, begun, come, endUntil } = start()
  for (let guess = 0; guess < 10; guess++) void come('guesser')
  suspects.add('guesser')
  const others = Array.from({ length: 10 }, (_, index) => `station-${index}`)
  for (const address of others) void come(address)

  await endUntil(20)
  expect(begun.slice(0, 12)).toEqual(['guesser', 'guesser', ...others])
})

test('suspects hold one thread, all others two', async () => {
  const { suspects, begun, come, endUntil } = start()
  for (const address of ['x', 'y']) suspects.add(address)
  for (const address of ['x', 'y', 'a', 'b']) void come(address)

  await endUntil(2)
  expect(begun).toEqual(['x', 'a'])
  await endUntil(3)
  expect(begun).toEqual(['x', 'a', 'b'])
})

test('beyond a hundred that wait, suspects are turned away and the others are not', async () => {
  const { suspects, begun, come, endUntil } = start()
  suspects.add('guesser')
  const guesses = Array.from({ length: 110 }, () => come('guesser').catch((cause: unknown) => cause))
  void come('station')
  void come('station')

  await endUntil(103)
  const turnedAway = (await Promise.all(guesses.slice(101))).filter((cause) => cause instanceof UnavailableError)
  expect(turnedAway).toHaveLength(9)
  expect(begun.slice(0, 3)).toEqual(['guesser', 'station', 'station'])
})

test('work that fails gives its turn on, and its error to who brought it', async () => {
  const turns = new Turns(() => true)
  await expect(turns.take('a', () => Promise.reject(new Error('no memory')))).rejects.toThrow('no memory')

  expect(await turns.take('a', async () => 'done')).toBe('done')
})
