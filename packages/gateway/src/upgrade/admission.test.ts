import { expect, test } from 'vitest'
import { retryAfter, TokenBucket } from './admission.js'

test('a burst passes, then the rate', () => {
  const bucket = new TokenBucket(10, 3, 0)

  expect([0, 0, 0, 0].map((now) => bucket.take(now))).toEqual([true, true, true, false])
  expect(bucket.take(99)).toBe(false)
  expect(bucket.take(200)).toBe(true)
})

test('rest does not save up more than the burst', () => {
  const bucket = new TokenBucket(10, 2, 0)

  expect([60_000, 60_000, 60_000].map((now) => bucket.take(now))).toEqual([true, true, false])
})

test('Retry-After is spread over half a minute', () => {
  expect(retryAfter(() => 0)).toBe('5')
  expect(retryAfter(() => 0.999)).toBe('29')
})
