import { expect, test } from 'vitest'
import { inboundCall, inboundRecord } from '../pipeline/testing.js'
import { chargingState, decide } from './testing.js'

test.each([
  ['ocpp1.6', 'NotImplemented'],
  ['ocpp2.0.1', 'NotSupported'],
] as const)('an action nobody serves is %s: %s, if the station waits', (protocol, code) => {
  const state = chargingState()
  expect(() => decide(state, inboundCall('Nonsense', {}, { protocol }))).toThrow(expect.objectContaining({ code }))
  expect(decide(state, inboundCall('constructor', {}, { protocol, answer: 'log' })).result).toEqual({})
})

test('records of other kinds are passed over', () => {
  expect(decide(chargingState(), inboundRecord({ type: 'connected' })).result).toEqual({})
})
