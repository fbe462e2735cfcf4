import { expect, test } from 'vitest'
import { UnavailableError } from './errors.js'
import { inRounds } from './rounds.js'

test('what comes in one turn shares a round, and so does what comes while that one is under way', async () => {
  const rounds: (readonly number[])[] = []
  let isOver = () => {}
  const double = inRounds(async (items: readonly number[]) => {
    rounds.push(items)
    await new Promise<void>((resolve) => {
      isOver = resolve
    })
    return items.map((item) => 2 * item)
  })
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

  const first = [double(1), double(2)]
  await nextTurn()
  const second = [double(3), double(4)]
  await nextTurn()
  expect(rounds).toEqual([[1, 2]])
  isOver()
  expect(await Promise.all(first)).toEqual([2, 4])
  await nextTurn()
  isOver()

  expect(await Promise.all(second)).toEqual([6, 8])
  expect(rounds).toEqual([
    [1, 2],
    [3, 4],
  ])
})

test('an item that makes its round fail fails alone', async () => {
  const work = inRounds(async (items: readonly string[]) => {
    if (items.includes('bad')) throw new Error('no such thing')
    return items
  })

  const outcomes = await Promise.allSettled([work('good'), work('bad'), work('better')])

  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

test('while Postgres is away a round fails as a whole, and with it all that wait for the next', async () => {
  let attempts = 0
  const work = inRounds(async () => {
    attempts += 1
    throw new UnavailableError('away')
  })

  const outcomes = await Promise.allSettled(Array.from({ length: 1200 }, (_, item) => work(item)))

  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1200)
  expect(attempts).toBe(1)
})

test('when Postgres goes while items are tried alone the others are not tried', async () => {
  const attempts: (readonly string[])[] = []
  const work = inRounds(async (items: readonly string[]) => {
    attempts.push(items)
    if (items.length === 1 && items[0] !== 'bad') throw new UnavailableError('away')
    throw new Error('no such thing')
  })

  const outcomes = await Promise.allSettled([work('bad'), work('good'), work('better')])

  expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.message)).toEqual([
    'no such thing',
    'away',
    'away',
  ])
  expect(attempts).toEqual([['bad', 'good', 'better'], ['bad'], ['good']])
})

test('after Postgres was away the next round is done', async () => {
  let isAway = true
  const work = inRounds(async (items: readonly string[]) => {
    if (isAway) throw new UnavailableError('away')
    return items
  })
  await expect(work('early')).rejects.toBeInstanceOf(UnavailableError)

  isAway = false

  expect(await work('late')).toBe('late')
})
