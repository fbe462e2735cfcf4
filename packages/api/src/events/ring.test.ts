import { expect, test } from 'vitest'
import { EventRing, parseVector } from './ring.js'

const push = (ring: EventRing, partition: number, offset: number) =>
  ring.push({ partition, offset: BigInt(offset), stationId: 'CS-1', type: 'busbar.x.v1', text: '{}' })

const seen = (text: string) => parseVector(text) ?? new Map()

test('the id of an event says how far each partition was read', () => {
  const ring = new EventRing(10)
  push(ring, 3, 70)
  push(ring, 0, 5)
  push(ring, 3, 71)

  expect([0, 1, 2].map((position) => ring.at(position)?.id)).toEqual(['3:70', '3:70,0:5', '3:71,0:5'])
  expect(ring.id).toBe('3:71,0:5')
})

test('it holds the last events only', () => {
  const ring = new EventRing(2)
  for (const offset of [1, 2, 3]) push(ring, 0, offset)

  expect([ring.start, ring.end]).toEqual([1, 3])
  expect(ring.at(0)).toBeUndefined()
  expect(ring.at(1)?.offset).toBe(2n)
  expect(ring.at(3)).toBeUndefined()
})

test('an id can be resumed while everything after it is held', () => {
  const ring = new EventRing(2)
  for (const offset of [7, 8, 9]) push(ring, 0, offset)

  expect(ring.holdsAllAfter(seen('0:9'))).toBe(true)
  expect(ring.holdsAllAfter(seen('0:7'))).toBe(true)
  expect(ring.holdsAllAfter(seen('0:6'))).toBe(false)
})

test('an id from before our start cannot be resumed, unless nothing lies between', () => {
  const ring = new EventRing(10)
  expect(ring.holdsAllAfter(seen('0:5'))).toBe(false)

  push(ring, 0, 8)

  expect(ring.holdsAllAfter(seen('0:5'))).toBe(false)
  expect(ring.holdsAllAfter(seen('0:7'))).toBe(true)
  expect(ring.holdsAllAfter(seen('0:7,1:3'))).toBe(false)
})

test('a partition the client saw nothing of counts from its first event', () => {
  const ring = new EventRing(2)
  push(ring, 0, 1)
  push(ring, 1, 1)
  expect(ring.holdsAllAfter(seen('0:1'))).toBe(true)

  push(ring, 0, 2)
  push(ring, 0, 3)

  expect(ring.holdsAllAfter(seen('0:3'))).toBe(false)
})

test.each(['', 'x', '0', '0:', '0:1,', '0:-1', '0:1;1:2', '9'.repeat(30), `0:${'9'.repeat(9_000)}`])(
  '%j is no id',
  (text) => {
    expect(parseVector(text)).toBeNull()
  },
)
