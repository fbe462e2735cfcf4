import type { Protocol } from '@busbar/ocpp'
import { expect, test } from 'vitest'
import { chooseProtocol, type ProtocolPolicy } from './subprotocol.js'

const enabled: Protocol[] = ['ocpp1.6', 'ocpp2.0.1']
const policy = (overrides: Partial<ProtocolPolicy> = {}): ProtocolPolicy => ({
  protocols: [],
  protocolWithoutHeader: null,
  ...overrides,
})

test("the station's order decides", () => {
  expect(chooseProtocol('ocpp2.0.1, ocpp1.6', enabled, policy())).toBe('ocpp2.0.1')
  expect(chooseProtocol('ocpp1.6,ocpp2.0.1', enabled, policy())).toBe('ocpp1.6')
})

test('what is not enabled is passed over', () => {
  expect(chooseProtocol('ocpp2.1, ocpp1.5, ocpp1.6', enabled, policy())).toBe('ocpp1.6')
  expect(chooseProtocol('ocpp1.5', enabled, policy())).toBeNull()
  expect(chooseProtocol('', enabled, policy())).toBeNull()
})

test('a station may be pinned', () => {
  expect(chooseProtocol('ocpp2.0.1, ocpp1.6', enabled, policy({ protocols: ['ocpp1.6'] }))).toBe('ocpp1.6')
  expect(chooseProtocol('ocpp2.0.1', enabled, policy({ protocols: ['ocpp1.6'] }))).toBeNull()
})

test("without a header only the station's switch names a version", () => {
  expect(chooseProtocol(undefined, enabled, policy())).toBeNull()
  expect(chooseProtocol(undefined, enabled, policy({ protocolWithoutHeader: 'ocpp1.6' }))).toBe('ocpp1.6')
  expect(chooseProtocol('ocpp1.5', enabled, policy({ protocolWithoutHeader: 'ocpp1.6' }))).toBeNull()
})
