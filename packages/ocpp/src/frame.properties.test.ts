import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OcppError } from './errors.js'
import { callFrame, parseFrame } from './frame.js'
import type { Protocol } from './protocol.js'

const runs = Number(process.env.PROPERTY_RUNS ?? 1000)
const protocols: Protocol[] = ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1']
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.json(),
  fc
    .tuple(fc.integer({ min: 0, max: 10 }), fc.jsonValue(), fc.jsonValue(), fc.jsonValue())
    .map((elements) => JSON.stringify(elements)),
  // A frame cut or bent anywhere.
  fc.tuple(fc.jsonValue(), fc.nat(200), fc.string({ maxLength: 3 })).map(([payload, at, rubbish]) => {
    const text = JSON.stringify([2, 'id', 'MeterValues', payload])
    return text.slice(0, at) + rubbish + text.slice(at + 1)
  }),
)

test('any text is read or refused with an OcppError', () => {
  fc.assert(
    fc.property(anyText, fc.constantFrom(...protocols), (text, protocol) => {
      try {
        const frame = parseFrame(text, protocol)
        return frame.kind !== undefined
      } catch (cause) {
        return cause instanceof OcppError && cause.messageId !== ''
      }
    }),
    { numRuns: runs },
  )
})

test('what is written is read back', () => {
  const payloads = fc.dictionary(
    fc.string(),
    fc.jsonValue({ maxDepth: 5 }).map((value) => value ?? 0),
  )
  fc.assert(
    fc.property(payloads, (payload) => {
      const sent = JSON.parse(JSON.stringify(payload))
      expect(parseFrame(callFrame('id', 'X', sent), 'ocpp2.0.1')).toMatchObject({ kind: 'call', action: 'X' })
    }),
    { numRuns: runs },
  )
})
