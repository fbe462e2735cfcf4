import { expect, test } from 'vitest'
import { isPlausibleClock, type StartIdentity, startKey16, stepKey201 } from './keys.js'
import { contains, gaps, insert, type SequenceSet } from './sequence-set.js'

const receivedAt = new Date('2026-03-01T10:00:00Z')
const start = (overrides: Partial<StartIdentity> = {}) =>
  startKey16({
    stationId: 'CP-1',
    connectorId: 1,
    idTag: 'ABCD',
    timestamp: receivedAt,
    meterStart: '1000',
    receivedAt,
    bootCount: 3,
    ...overrides,
  })

test('a 1.6 start is the same by station, connector, idTag, timestamp and meterStart', () => {
  expect(start({ idTag: 'abcd', receivedAt: new Date('2026-03-05T10:00:00Z'), bootCount: 9 })).toBe(start())
  const others = [
    start({ stationId: 'CP-2' }),
    start({ connectorId: 2 }),
    start({ idTag: 'OTHER' }),
    start({ timestamp: new Date('2026-03-01T10:00:01Z') }),
    start({ meterStart: '1001' }),
  ]
  expect(new Set([start(), ...others]).size).toBe(6)
})

test('an implausible clock adds the boot count', () => {
  for (const timestamp of [new Date('1970-01-01T00:00:05Z'), new Date('2036-03-01T10:00:00Z'), null]) {
    expect(start({ timestamp, bootCount: 4 })).not.toBe(start({ timestamp, bootCount: 3 }))
    expect(start({ timestamp })).toBe(start({ timestamp }))
  }
})

test('an idTag cannot be read out of a key: it may be a key code', () => {
  expect(start({ idTag: '987654' })).not.toContain('987654')
})

test('clocks are plausible from 2020 on, up to a day ahead of ours', () => {
  expect(isPlausibleClock(new Date('2019-12-31T23:59:59Z'), receivedAt)).toBe(false)
  expect(isPlausibleClock(new Date('2026-03-02T10:00:00Z'), receivedAt)).toBe(true)
  expect(isPlausibleClock(new Date('2026-03-02T10:00:00.001Z'), receivedAt)).toBe(false)
})

test('steps sort by seqNo, then time; the offline flag makes no other step, other content does', () => {
  const step = (seqNo: number, payload: object = {}, minutes = 0) =>
    stepKey201({
      seqNo,
      eventType: 'Updated',
      timestamp: new Date(receivedAt.getTime() + minutes * 60_000),
      payload: { seqNo, ...payload },
    })
  expect([step(10), step(9, {}, 50), step(9)].sort()).toEqual([step(9), step(9, {}, 50), step(10)])
  expect(step(1, { offline: true })).toBe(step(1))
  expect(step(1, { reservationId: 1 })).not.toBe(step(1))
})

test('a set of numbers knows its gaps', () => {
  const set = [0, 5, 1, 2, 7, 5].reduce<SequenceSet>(insert, [])
  expect(set).toEqual([
    [0, 2],
    [5, 5],
    [7, 7],
  ])
  expect(gaps(set, 0)).toEqual([
    [3, 4],
    [6, 6],
  ])
  expect(gaps(insert(insert(insert(set, 6), 4), 3), 0)).toEqual([])
  expect(gaps([[4, 6]], 4)).toEqual([])
  expect(gaps([[4, 6]], 0)).toEqual([[0, 3]])
  expect(contains(set, 3)).toBe(false)
})
