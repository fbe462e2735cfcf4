import { expect, test } from 'vitest'
import { EventRing, parseVector } from './ring.js'

const push = (ring: EventRing, partition: number, offset: number) =>
  ring.push({ partition, offset: BigInt(offset), stationId: 'CS-1', type: 'busbar.x.v1', text: '{}' })

const ringOf = (capacity: number, ...next: [number, number][]) => {
  const ring = new EventRing(capacity)
  for (const [partition, offset] of next) ring.begin(partition, BigInt(offset))
  return ring
}

const seen = (text: string) => parseVector(text) ?? new Map()

test('the id of an event says how far each partition was read', () => {
  const ring = ringOf(10, [3, 70], [0, 5])
  push(ring, 3, 70)
  push(ring, 0, 5)
  push(ring, 3, 71)

  expect([0, 1, 2].map((position) => ring.at(position)?.id)).toEqual(['3:70,0:4', '3:70,0:5', '3:71,0:5'])
  expect(ring.id).toBe('3:71,0:5')
})

test('it holds the last events only', () => {
  const ring = ringOf(2, [0, 1])
  for (const offset of [1, 2, 3]) push(ring, 0, offset)

  expect([ring.start, ring.end]).toEqual([1, 3])
  expect(ring.at(0)).toBeUndefined()
  expect(ring.at(1)?.offset).toBe(2n)
  expect(ring.at(3)).toBeUndefined()
})

test('long texts leave room for fewer: a station may fill many events with 4 MiB', () => {
  const ring = new EventRing(10, 100)
  ring.begin(0, 1n)
  const pushLong = (offset: number, length: number) =>
    ring.push({
      partition: 0,
      offset: BigInt(offset),
      stationId: 'CS-1',
      type: 'busbar.x.v1',
      text: 'x'.repeat(length),
    })
  const held = () => {
    const all = Array.from({ length: ring.end - ring.start }, (_, index) => ring.at(ring.start + index)?.offset)
    return all.map(Number)
  }

  for (const offset of [1, 2, 3, 4]) pushLong(offset, 30)
  expect(held()).toEqual([2, 3, 4])
  expect(ring.holdsAllAfter(seen('0:1'))).toBe(true)
  expect(ring.holdsAllAfter(seen('0:0'))).toBe(false)
  pushLong(5, 500)
  expect(held()).toEqual([5])
  pushLong(6, 10)
  expect(held()).toEqual([6])
})

test('an id can be resumed while everything after it is held', () => {
  const ring = ringOf(2, [0, 7])
  for (const offset of [7, 8, 9]) push(ring, 0, offset)

  expect(ring.holdsAllAfter(seen('0:9'))).toBe(true)
  expect(ring.holdsAllAfter(seen('0:7'))).toBe(true)
  expect(ring.holdsAllAfter(seen('0:6'))).toBe(false)
})

test('an id from before our start can be resumed when nothing lies between, also in a partition that is quiet since', () => {
  const ring = ringOf(10, [0, 8], [1, 4], [2, 0])
  expect(ring.id).toBe('0:7,1:3')
  expect(ring.holdsAllAfter(seen('0:5,1:3'))).toBe(false)
  expect(ring.holdsAllAfter(seen('0:7,1:3'))).toBe(true)

  push(ring, 0, 8)

  expect(ring.holdsAllAfter(seen('0:7,1:3'))).toBe(true)
  expect(ring.holdsAllAfter(seen('0:8,1:2'))).toBe(false)
  expect(ring.holdsAllAfter(seen('0:8'))).toBe(false)
  expect(ring.holdsAllAfter(seen('0:8,1:3,9:1'))).toBe(false)
})

test('an id of another process is as good as ours, ahead of us or behind', () => {
  const [one, other] = [ringOf(10, [0, 0], [1, 0]), ringOf(10, [0, 2], [1, 0])]
  for (const offset of [0, 1, 2, 3]) push(one, 0, offset)
  push(other, 0, 2)

  expect(other.holdsAllAfter(seen(one.id))).toBe(true)
  expect(one.holdsAllAfter(seen(other.id))).toBe(true)
})

test('an id far ahead is of a log that is no more: whoever went on with it would hear nothing for long', () => {
  const ring = ringOf(10, [0, 0], [1, 0])
  push(ring, 0, 0)

  expect(ring.holdsAllAfter(seen('0:10'))).toBe(true)
  expect(ring.holdsAllAfter(seen('0:11'))).toBe(false)
  expect(ring.holdsAllAfter(seen('0:0,1:900'))).toBe(false)
})

test('a partition that had nothing when the id was given counts from its first event', () => {
  const ring = ringOf(2, [0, 0], [1, 0])
  push(ring, 0, 0)
  push(ring, 1, 0)
  expect(ring.holdsAllAfter(seen('0:0'))).toBe(true)

  push(ring, 0, 1)
  push(ring, 0, 2)

  expect(ring.holdsAllAfter(seen('0:2'))).toBe(false)
})

test.each(['', 'x', '0', '0:', '0:1,', '0:-1', '0:1;1:2', '9'.repeat(30), `0:${'9'.repeat(9_000)}`])(
  '%j is no id',
  (text) => {
    expect(parseVector(text)).toBeNull()
  },
)
