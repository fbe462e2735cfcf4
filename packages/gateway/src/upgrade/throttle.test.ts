import { expect, test } from 'vitest'
import { Throttle } from './throttle.js'

function failTimes(throttle: Throttle, times: number, address = '10.0.0.1', id = 'CP1') {
  for (let attempt = 0; attempt < times; attempt++) throttle.tried(address, id, 0)
}

test('closes after the failures of one minute, and opens with the next', () => {
  const throttle = new Throttle(30)

  failTimes(throttle, 29)
  expect(throttle.isClosed('10.0.0.1', 'CP1', 1)).toBe(false)
  failTimes(throttle, 1)
  expect(throttle.isClosed('10.0.0.1', 'CP1', 59_999)).toBe(true)
  expect(throttle.isClosed('10.0.0.1', 'CP1', 60_000)).toBe(false)
})

test('another address or another station is not touched', () => {
  const throttle = new Throttle(3)
  failTimes(throttle, 10)

  expect(throttle.isClosed('10.0.0.2', 'CP1', 1)).toBe(false)
  expect(throttle.isClosed('10.0.0.1', 'CP2', 1)).toBe(false)
})

test('a success clears the count', () => {
  const throttle = new Throttle(3)
  failTimes(throttle, 3)

  throttle.succeeded('10.0.0.1', 'CP1')

  expect(throttle.isClosed('10.0.0.1', 'CP1', 1)).toBe(false)
})

test('an address that failed is under suspicion for a minute, whatever the id', () => {
  const throttle = new Throttle(3)
  throttle.failed('10.0.0.1', 0)

  expect(throttle.isSuspect('10.0.0.1', 59_999)).toBe(true)
  expect(throttle.isSuspect('10.0.0.1', 60_000)).toBe(false)
  expect(throttle.isSuspect('10.0.0.2', 1)).toBe(false)
})
