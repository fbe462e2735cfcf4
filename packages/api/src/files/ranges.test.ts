import { expect, test } from 'vitest'
import { parseContentRange, parseRange } from './ranges.js'

test.each([
  [undefined, null],
  ['bytes=0-', { first: 0, last: 99 }],
  ['bytes=5-5', { first: 5, last: 5 }],
  ['bytes=90-200', { first: 90, last: 99 }],
  ['bytes=-10', { first: 90, last: 99 }],
  ['bytes=-1000', { first: 0, last: 99 }],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=9-5', null],
  ['bytes=-', null],
  ['bytes=0-1,5-6', null],
  ['items=0-1', null],
])('of 100 bytes Range %s means %j', (header, range) => {
  expect(parseRange(header, 100)).toEqual(range)
})

test.each([
  [undefined, null],
  ['bytes 0-9/10', { first: 0, last: 9, total: 10 }],
  ['bytes 0-9/*', { first: 0, last: 9, total: null }],
  ['bytes 0-10/10', 'invalid'],
  ['bytes 9-0/10', 'invalid'],
  ['bytes */10', 'invalid'],
  ['0-9/10', 'invalid'],
])('Content-Range %s means %j', (header, range) => {
  expect(parseContentRange(header)).toEqual(range)
})
