import { expect, test } from 'vitest'
import { truncateLimit } from './limit.js'

test.each([
  [6, 6],
  [6.09, 6],
  [6.19, 6.1],
  [16.1, 16.1],
  [0.7, 0.7],
  [2.3, 2.3],
  [1e-7, 0],
  [11_039.99, 11_039.9],
  [1e21, 1e21],
])('%s is sent as %s', (limit, sent) => {
  expect(truncateLimit(limit)).toBe(sent)
})
