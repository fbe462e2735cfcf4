import { expect, test } from 'vitest'
import { parseRecord } from './inbound.js'
import { loggedCall, logRecord } from './testing.js'

test('a call is read from its frame and the headers of the gateway', () => {
  const read = parseRecord(loggedCall('StatusNotification', { evseId: 1 }, { extraHeaders: { sequence: '7' } }))

  expect(read).toMatchObject({
    type: 'call',
    stationId: 'CP-1',
    connectionId: 'connection-1',
    epoch: 1000,
    sequence: 7,
    protocol: 'ocpp2.0.1',
    action: 'StatusNotification',
    messageId: 'message-1',
    answer: 'decision',
    payload: { evseId: 1 },
    receivedAt: new Date('2026-03-01T10:00:00.000Z'),
  })
})

test('a record without headers, as outsiders write it, belongs to the station of its key', () => {
  const read = parseRecord(logRecord({ key: 'CP-9', value: Buffer.from('{"action":"Reset"}'), headers: {} }))

  expect(read).toMatchObject({ type: '', stationId: 'CP-9', sequence: -1, answer: '', payload: { action: 'Reset' } })
})

test.each([
  ['a call', '[2,"1","X",PAYLOAD]', 'call'],
  ['any other record', 'PAYLOAD', 'outcome'],
])('in %s what Postgres cannot store becomes U+FFFD, in names and values; whole pairs stay', (_what, frame, type) => {
  const payload = String.raw`{"a\u0000b":["x\u0000y","\ud800z","\ud83d\ude00",{"n":"\udc00"}],"__proto__":"\u0000"}`
  const value = Buffer.from(frame.replace('PAYLOAD', () => payload))

  const read = parseRecord(loggedCall('X', {}, { value, extraHeaders: { type } })).payload

  expect(Object.entries(read)).toEqual([
    ['a\uFFFDb', ['x\uFFFDy', '\uFFFDz', '😀', { n: '\uFFFD' }]],
    ['__proto__', '\uFFFD'],
  ])
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
})

test('headers are storable as well', () => {
  const read = parseRecord(loggedCall('DataTransfer', {}, { extraHeaders: { messageId: 'a\0b' } }))

  expect(read.messageId).toBe('a\uFFFDb')
})

test.each([
  ['broken JSON', loggedCall('X', {}, { value: Buffer.from('[2,"1","X"') })],
  ['an answer instead of a call', loggedCall('X', {}, { value: Buffer.from('[3,"1",{}]') })],
  ['a sequence that is no number', loggedCall('X', {}, { extraHeaders: { sequence: 'many' } })],
  ['a value that is no JSON', logRecord({ value: Buffer.from('not json'), headers: { type: 'presence' } })],
])('a record with %s cannot be read', (_what, record) => {
  expect(() => parseRecord(record)).toThrow()
})

test('a reader of headers never looks at the value', () => {
  const read = parseRecord(loggedCall('X', {}, { value: Buffer.from('[2,"1","X"') }), 'headers')

  expect(read).toMatchObject({ action: 'X', payload: {} })
})
