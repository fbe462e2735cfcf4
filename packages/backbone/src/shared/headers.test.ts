import { expect, test } from 'vitest'
import { decodeHeaders, encodeHeaders } from './headers.js'

test.each(['plain', 'a\0b', '\uE000', '\uE0000', '\uE0001\0', '\\u0000', 'Säule 😀', '\u0001\u001f'])(
  '%j survives jsonb',
  (value) => {
    const stored = encodeHeaders({ name: value })

    expect(stored).not.toMatch(/[^\\]\\u0000/)
    expect(decodeHeaders(JSON.parse(stored))).toEqual({ name: value })
  },
)

test('half of a surrogate pair becomes the replacement character', () => {
  expect(decodeHeaders(JSON.parse(encodeHeaders({ name: 'a\ud800' })))).toEqual({ name: 'a\ufffd' })
})
