import { describe, expect, test } from 'vitest'
import type { Requests, v201 } from './types.js'
import { type Side, validate } from './validate.js'

function codeOf(protocol: 'ocpp1.6' | 'ocpp2.0.1', action: string, payload: unknown, side: Side = 'inbound') {
  return validate(protocol, action, 'request', payload, side)[0]?.code
}

const stop = { transactionId: 1, meterStop: 5, timestamp: '2026-01-01T00:00:00Z' }
const status16 = { connectorId: 1, errorCode: 'NoError', status: 'Available' }
const boot201 = { reason: 'PowerUp', chargingStation: { model: 'M', vendorName: 'V' } }

describe('codes', () => {
  test.each([
    ['ocpp1.6', 'StopTransaction', { ...stop, meterStop: undefined }, 'OccurrenceConstraintViolation'],
    ['ocpp1.6', 'StatusNotification', { ...status16, connectorId: '1' }, 'TypeConstraintViolation'],
    ['ocpp1.6', 'StatusNotification', { ...status16, status: 'Foo' }, 'PropertyConstraintViolation'],
    ['ocpp1.6', 'Authorize', { idTag: 'x'.repeat(21) }, 'PropertyConstraintViolation'],
    ['ocpp1.6', 'Heartbeat', { foo: 1 }, 'FormatViolation'],
    ['ocpp1.6', 'Heartbeat', [], 'FormatViolation'],
    ['ocpp1.6', 'StopTransaction', { ...stop, timestamp: 'yesterday' }, 'FormatViolation'],
    ['ocpp1.6', 'FooBar', {}, 'NotImplemented'],
    ['ocpp2.0.1', 'BootNotification', { ...boot201, reason: undefined }, 'OccurrenceConstraintViolation'],
    ['ocpp2.0.1', 'GetVariables', { getVariableData: [] }, 'OccurrenceConstraintViolation'],
    ['ocpp2.0.1', 'GetCompositeSchedule', { duration: 1.5, evseId: 0 }, 'TypeConstraintViolation'],
    [
      'ocpp2.0.1',
      'BootNotification',
      { ...boot201, chargingStation: { model: 'x'.repeat(21), vendorName: 'V' } },
      'PropertyConstraintViolation',
    ],
    ['ocpp2.0.1', 'Heartbeat', { foo: 1 }, 'FormatViolation'],
    ['ocpp2.0.1', '__proto__', {}, 'NotImplemented'],
  ] as const)('%s %s %j is a %s', (protocol, action, payload, code) => {
    expect(codeOf(protocol, action, payload)).toBe(code)
  })

  test('a violation says where it is', () => {
    const [violation] = validate('ocpp1.6', 'StatusNotification', 'request', { ...status16, status: 'Foo' }, 'inbound')
    expect(violation).toMatchObject({ path: '/status', message: expect.stringContaining('Available,Preparing') })
    const [extra] = validate('ocpp1.6', 'Heartbeat', 'request', { [`foo${'o'.repeat(1000)}`]: 1 }, 'inbound')
    expect(extra?.message).toMatch(/additional properties: fo{99}$/)
  })

  test('members of Object are no actions', () => {
    expect(codeOf('ocpp1.6', 'constructor', {})).toBe('NotImplemented')
    expect(validate('ocpp1.6', 'toString', 'response', {}, 'inbound')[0]?.code).toBe('NotImplemented')
  })

  test('customData may hold anything', () => {
    expect(codeOf('ocpp2.0.1', 'Heartbeat', { customData: { vendorId: 'x', foo: { bar: 1 } } })).toBeUndefined()
  })
})

test('2.1 has schemas of its own, of messages that are only sent too', () => {
  const stream = { id: 1, pending: 0, basetime: '2026-01-01T00:00:00Z', data: [{ t: 0, v: '5' }] }
  expect(validate('ocpp2.1', 'NotifyPeriodicEventStream', 'request', stream, 'inbound')).toEqual([])
  expect(validate('ocpp2.1', 'NotifyPeriodicEventStream', 'request', {}, 'inbound')).toHaveLength(1)
  expect(codeOf('ocpp2.0.1', 'NotifyPeriodicEventStream', stream)).toBe('NotImplemented')
})

test('the types are those of the schemas', () => {
  const start: Requests<'ocpp1.6'>['StartTransaction'] = {
    connectorId: 1,
    idTag: 'CARD',
    meterStart: 5,
    timestamp: stop.timestamp,
  }
  const answer: v201.TransactionEventResponse = { idTokenInfo: { status: 'Accepted' } }
  expect(codeOf('ocpp1.6', 'StartTransaction', start, 'outbound')).toBeUndefined()
  expect(validate('ocpp2.0.1', 'TransactionEvent', 'response', answer, 'outbound')).toEqual([])
})

describe('errata', () => {
  test('a Stop without a reason is valid (1.6-J errata §2.6)', () => {
    expect(codeOf('ocpp1.6', 'StopTransaction', stop)).toBeUndefined()
  })

  test.each(['Celsius', 'Celcius'])('the unit %s is valid in both messages (1.6-J errata §2.1)', (unit) => {
    const meterValue = [{ timestamp: stop.timestamp, sampledValue: [{ value: '21', unit, measurand: 'Temperature' }] }]
    expect(codeOf('ocpp1.6', 'MeterValues', { connectorId: 1, meterValue })).toBeUndefined()
    expect(codeOf('ocpp1.6', 'StopTransaction', { ...stop, transactionData: meterValue })).toBeUndefined()
  })

  test('the interval of a boot answer is an integer (1.6-J errata §2.4)', () => {
    const response = { status: 'Accepted', currentTime: stop.timestamp, interval: 1.5 }
    expect(validate('ocpp1.6', 'BootNotification', 'response', response, 'outbound')).toMatchObject([
      { code: 'TypeConstraintViolation' },
    ])
  })

  test('an exiResponse may have 7500 characters', () => {
    const response = { status: 'Accepted', exiResponse: 'x'.repeat(7500) }
    const check = (payload: object) => validate('ocpp2.0.1', 'Get15118EVCertificate', 'response', payload, 'outbound')
    expect(check(response)).toEqual([])
    expect(check({ ...response, exiResponse: 'x'.repeat(7501) })).toHaveLength(1)
  })
})

test('every limit with one decimal is a multiple of 0.1', () => {
  const refused = Array.from({ length: 1000 }, (_, index) => Number((index / 10).toFixed(1))).filter((limit) => {
    const chargingSchedule = { chargingRateUnit: 'A', chargingSchedulePeriod: [{ startPeriod: 0, limit }] }
    const profile = { chargingProfileId: 1, stackLevel: 0, chargingProfilePurpose: 'TxDefaultProfile' }
    const csChargingProfiles = { ...profile, chargingProfileKind: 'Relative', chargingSchedule }
    return codeOf('ocpp1.6', 'SetChargingProfile', { connectorId: 1, csChargingProfiles }, 'outbound') !== undefined
  })
  expect(refused).toEqual([])
})

describe('dates', () => {
  const inbound = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00', '2026-01-01T00:00:00.123456+02', '0']
  const outbound = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.123Z']

  test.each([...inbound, ...outbound])('%s may come in', (timestamp) => {
    expect(codeOf('ocpp1.6', 'StopTransaction', { ...stop, timestamp })).toBeUndefined()
  })

  test('only UTC with Z and at most milliseconds may go out', () => {
    const accepted = [...inbound, ...outbound, '2026-02-30T00:00:00Z', '2026-01-01T00:00:00.1234Z'].filter(
      (timestamp) => codeOf('ocpp1.6', 'StopTransaction', { ...stop, timestamp }, 'outbound') === undefined,
    )
    expect(accepted).toEqual(['2026-01-01T00:00:00Z', ...outbound])
  })
})
