import { pino } from 'pino'
import { expect, test } from 'vitest'
import { RefusedAttempts } from './refused.js'

test('counts per station and keeps the last reason', () => {
  const refused = new RefusedAttempts(pino({ level: 'silent' }))

  refused.add('CP1', 'unknown', '10.0.0.1')
  refused.add('CP2', 'unknown', '10.0.0.1')
  refused.add('CP1', 'credentials', '10.0.0.2')

  expect(refused.list()).toMatchObject([
    { stationId: 'CP1', reason: 'credentials', address: '10.0.0.2', count: 2 },
    { stationId: 'CP2', reason: 'unknown', count: 1 },
  ])
})

test('a throttled attempt counts, and keeps the reason of those before', () => {
  const refused = new RefusedAttempts(pino({ level: 'silent' }))

  refused.add('CP1', 'throttled', '10.0.0.1')
  expect(refused.list()).toMatchObject([{ stationId: 'CP1', reason: 'throttled', count: 1 }])
  refused.add('CP1', 'credentials', '10.0.0.1')
  refused.add('CP1', 'throttled', '10.0.0.1')
  expect(refused.list()).toMatchObject([{ stationId: 'CP1', reason: 'credentials', count: 3 }])
})

test('remembers the last thousand', () => {
  const refused = new RefusedAttempts(pino({ level: 'silent' }))

  for (let number = 0; number < 1_500; number++) refused.add(`CP${number}`, 'unknown', '10.0.0.1')

  expect(refused.list()).toHaveLength(1_000)
  expect(refused.list().at(-1)?.stationId).toBe('CP500')
})
