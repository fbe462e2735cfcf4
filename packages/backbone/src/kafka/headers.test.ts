import { expect, test } from 'vitest'
import { packHeaders, readHeaders } from './headers.js'

/** As kafkajs hands them over. */
const received = (headers: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map((part) => Buffer.from(String(part))) : Buffer.from(String(value)),
    ]),
  )

test('packed headers come back as they were given', () => {
  const headers = { type: 'call', messageId: 'a\0b\uE0000\u0001"\\u', note: 'Säule 充電', busbar: '{}' }
  const packed = packHeaders(headers)

  expect(Object.keys(packed)).toHaveLength(1)
  expect(readHeaders(received(packed))).toEqual(headers)
})

test('headers of foreign writers are read one by one, the last of a name counts', () => {
  const sent = received({ type: 'call', messageId: ['first', 'last'] })

  expect(readHeaders(sent)).toEqual({ type: 'call', messageId: 'last' })
})

test('a header that is set beside the packed ones counts', () => {
  const sent = received({ ...packHeaders({ type: 'call', station: 'CP1' }), type: 'replayed' })

  expect(readHeaders(sent)).toEqual({ type: 'replayed', station: 'CP1' })
})

test.each(['', 'yes', 'null', '[]', '"text"', '{"type":1}', '{"type":'])(
  'a foreign header that happens to have our name is one like any other: %s',
  (text) => {
    expect(readHeaders(received({ busbar: text }))).toEqual({ busbar: text })
  },
)

test('a record without headers has none', () => {
  expect(readHeaders(undefined)).toEqual({})
})
