import { callFrame } from '@busbar/ocpp'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Counters } from './ids.js'
import { mergeAnswers, splitPayload } from './split.js'

const counters = (start = 10): Counters => {
  let value = start
  return { next: () => ++value, used: () => {} }
}
const noLimits = { items: null, bytes: null }
const variables = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ component: { name: 'C' }, variable: { name: `V${index}` } }))

test('five variables to a station that takes four go out as four and one', () => {
  const payloads = splitPayload(
    'ocpp2.0.1',
    'GetVariables',
    { getVariableData: variables(5) },
    { items: 4, bytes: null },
    counters(),
  )
  expect(payloads.map((payload) => (payload.getVariableData as unknown[]).length)).toEqual([4, 1])
})

test('what fits, or has no list, goes out as it is', () => {
  const payload = { getVariableData: variables(5) }
  expect(splitPayload('ocpp2.0.1', 'GetVariables', payload, noLimits, counters())).toEqual([payload])
  expect(splitPayload('ocpp2.0.1', 'GetVariables', payload, { items: 5, bytes: 9000 }, counters())[0]).toBe(payload)
  expect(splitPayload('ocpp1.6', 'GetConfiguration', {}, { items: 1, bytes: null }, counters())).toEqual([{}])
  expect(splitPayload('ocpp2.0.1', 'Reset', { type: 'Immediate' }, { items: 1, bytes: 1 }, counters())).toHaveLength(1)
})

test('no CALL is larger than the station takes, and no item is lost, doubled or moved', () => {
  const item = fc.record({ component: fc.record({ name: fc.string() }), variable: fc.record({ name: fc.string() }) })
  fc.assert(
    fc.property(
      fc.array(item, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 900 }),
      (list, items, bytes) => {
        const payloads = splitPayload(
          'ocpp2.0.1',
          'GetVariables',
          { getVariableData: list },
          { items, bytes },
          counters(),
        )
        const parts = payloads.map((payload) => payload.getVariableData as unknown[])
        expect(parts.flat()).toEqual(list)
        for (const [index, part] of parts.entries()) {
          expect(part.length).toBeGreaterThan(0)
          expect(part.length).toBeLessThanOrEqual(items)
          const frame = callFrame('0'.repeat(36), 'GetVariables', payloads[index] ?? {})
          if (part.length > 1) expect(Buffer.byteLength(frame)).toBeLessThanOrEqual(bytes)
        }
      },
    ),
  )
})

test('a long list goes out whole first and then as differences, its version rising', () => {
  const list = ['A', 'B', 'C'].map((idTag) => ({ idTag }))
  const payload = { listVersion: 5, updateType: 'Full', localAuthorizationList: list }
  expect(splitPayload('ocpp1.6', 'SendLocalList', payload, { items: 2, bytes: null }, counters(5))).toEqual([
    { listVersion: 5, updateType: 'Full', localAuthorizationList: list.slice(0, 2) },
    { listVersion: 6, updateType: 'Differential', localAuthorizationList: list.slice(2) },
  ])
})

test('each part of a report is asked for under a requestId of its own', () => {
  const payload = { requestId: 3, componentVariable: variables(3) }
  const payloads = splitPayload('ocpp2.0.1', 'GetReport', payload, { items: 2, bytes: null }, counters())
  expect(payloads.map(({ requestId }) => requestId)).toEqual([3, 11])
})

test('answers are merged in order', () => {
  const part = (...names: string[]) => ({ verdict: 'accepted' as const, response: { getVariableResult: names } })
  expect(mergeAnswers('ocpp2.0.1', 'GetVariables', [part('a', 'b'), part('c')])).toEqual(part('a', 'b', 'c'))
})

test('a configuration merges what is known and what is not', () => {
  const parts = [
    { verdict: 'accepted' as const, response: { configurationKey: [{ key: 'a' }], unknownKey: ['x'] } },
    { verdict: 'accepted' as const, response: { unknownKey: ['y'] } },
  ]
  expect(mergeAnswers('ocpp1.6', 'GetConfiguration', parts).response).toEqual({
    configurationKey: [{ key: 'a' }],
    unknownKey: ['x', 'y'],
  })
})

test('one refused part makes variables rejected; one accepted part makes a report accepted', () => {
  const yes = { verdict: 'accepted' as const, response: { status: 'Accepted' } }
  const no = { verdict: 'rejected' as const, response: { status: 'EmptyResultSet' } }
  expect(mergeAnswers('ocpp2.0.1', 'SetVariables', [yes, no, yes]).verdict).toBe('rejected')
  expect(mergeAnswers('ocpp2.0.1', 'GetReport', [no, yes, no])).toEqual(yes)
})
