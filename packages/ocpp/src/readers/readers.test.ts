import { describe, expect, test } from 'vitest'
import { OcppError } from '../errors.js'
import { parseFrame } from '../frame.js'
import type { Payload } from '../protocol.js'
import { MissingFieldsError, type Quirk } from './findings.js'
import { readMeterValues16 } from './meter-values-16.js'
import { readMeterValues201 } from './meter-values-201.js'
import { readStartTransaction16 } from './start-transaction-16.js'
import { readStopTransaction16 } from './stop-transaction-16.js'
import { readTransactionEvent201 } from './transaction-event-201.js'

const receivedAt = new Date('2026-03-04T05:06:07Z')
const timestamp = '2026-01-02T03:04:05Z'

const start = { connectorId: 1, idTag: 'CARD', meterStart: 100, timestamp }
const stop = { transactionId: 7, meterStop: 2100, timestamp }
const event = {
  eventType: 'Started',
  timestamp,
  triggerReason: 'Authorized',
  seqNo: 0,
  transactionInfo: { transactionId: 't-1' },
}

const kinds = (reading: { violations: Quirk[] }) => reading.violations.map(({ kind }) => kind)

function missingOf(read: () => unknown): string[] {
  try {
    read()
  } catch (cause) {
    if (cause instanceof MissingFieldsError) return cause.missing
    throw cause
  }
  return []
}

describe('1.6 StartTransaction', () => {
  const read = (change: Payload) => readStartTransaction16({ ...start, ...change }, receivedAt)

  test('a proper one has no violations', () => {
    expect(read({ reservationId: 3 })).toEqual({
      connectorId: 1,
      idTag: 'CARD',
      meterStartWh: '100',
      timestamp: { at: new Date(timestamp), guessed: false },
      reservationId: 3,
      violations: [],
    })
  })

  test.each([
    ['no timestamp', { timestamp: undefined }, 'timestamp-missing'],
    ['"0" as timestamp', { timestamp: '0' }, 'timestamp-unreadable'],
    ['a timestamp without zone', { timestamp: '2026-01-02T03:04:05' }, 'timestamp-without-zone'],
    ['an idTag over 20 characters', { idTag: 'x'.repeat(30) }, 'text-too-long'],
    ['an empty idTag', { idTag: '' }, 'text-empty'],
    ['a padded idTag', { idTag: ' CARD ' }, 'text-padded'],
    ['a connector as text', { connectorId: '1' }, 'field-type'],
    ['a register as text', { meterStart: '100' }, 'field-type'],
    ['a register with a fraction', { meterStart: 100.5 }, 'field-type'],
    ['null for what is optional', { reservationId: null }, 'field-type'],
  ])('%s is accepted and counted', (_, change, kind) => {
    expect(kinds(read(change))).toEqual([kind])
  })

  test('the register stays exact', () => {
    expect(read({ meterStart: 100.5 }).meterStartWh).toBe('100.5')
    expect(read({ meterStart: '9007199254740993' }).meterStartWh).toBe('9007199254740993')
  })

  test('without a readable time it began when it was received', () => {
    expect(read({ timestamp: '0' }).timestamp).toEqual({ at: receivedAt, guessed: true })
  })

  test.each(['connectorId', 'idTag', 'meterStart'])('without %s it is refused', (field) => {
    for (const value of [undefined, null, {}]) {
      expect(missingOf(() => read({ [field]: value }))).toEqual([field])
    }
  })

  test('an absent field and one of the wrong type are refused with their codes', () => {
    expect(() => read({ meterStart: undefined })).toThrow(
      expect.objectContaining({ code: 'OccurrenceConstraintViolation' }),
    )
    expect(() => read({ meterStart: 'many' })).toThrow(expect.objectContaining({ code: 'TypeConstraintViolation' }))
    expect(() => read({ meterStart: undefined })).toThrow(OcppError)
  })
})

describe('1.6 StopTransaction', () => {
  const read = (change: Payload) => readStopTransaction16({ ...stop, ...change }, receivedAt)

  test('one without reason and idTag is proper and local', () => {
    expect(read({})).toMatchObject({
      transactionId: '7',
      meterStopWh: '2100',
      idTag: null,
      reason: 'Local',
      violations: [],
    })
  })

  test.each([
    [-1, '-1'],
    [0, '0'],
    [-123456, '-123456'],
    ['42', '42'],
    ['abc', 'abc'],
  ])('the transactionId %j is the id %s', (transactionId, id) => {
    expect(read({ transactionId }).transactionId).toBe(id)
  })

  test('a transactionId beyond 2^53 keeps every digit and is no violation', () => {
    const frame = parseFrame(
      `[2,"a","StopTransaction",{"transactionId":9223372036854775807,"meterStop":1,"timestamp":"${timestamp}"}]`,
      'ocpp1.6',
    )
    const reading = readStopTransaction16(frame.kind === 'call' ? frame.payload : null, receivedAt)
    expect(reading).toMatchObject({ transactionId: '9223372036854775807', violations: [] })
  })

  test('transactionData whose time is unreadable is as old as its Stop', () => {
    const transactionData = [{ sampledValue: [{ value: '7' }] }]
    expect(read({ transactionData }).meterValues).toMatchObject([{ at: new Date(timestamp), guessed: true }])
  })

  test('a meterStop of -1 is kept for the rules to judge', () => {
    expect(read({ meterStop: -1 }).meterStopWh).toBe('-1')
  })

  test('an unknown reason is Other and counted, another letter case is read', () => {
    expect(read({ reason: 'Bored' })).toMatchObject({ reason: 'Other', violations: [{ kind: 'field-value' }] })
    expect(read({ reason: 'evdisconnected' }).reason).toBe('EVDisconnected')
  })

  test('transactionData holds readings', () => {
    const transactionData = [{ timestamp, sampledValue: [{ value: '2.1', unit: 'kWh', context: 'Transaction.End' }] }]
    expect(read({ transactionData }).meterValues[0]?.samples[0]).toMatchObject({ value: '2100', unit: 'Wh' })
  })
})

describe('samples', () => {
  const read16 = (sample: unknown) =>
    readMeterValues16({ connectorId: 1, meterValue: [{ timestamp, sampledValue: [sample] }] }, receivedAt)
  const read201 = (sample: unknown) =>
    readMeterValues201({ evseId: 1, meterValue: [{ timestamp, sampledValue: [sample] }] }, receivedAt)
  const sampleOf = (reading: ReturnType<typeof read16> | ReturnType<typeof read201>) =>
    reading.meterValues[0]?.samples[0]

  test('the defaults of the standard apply, in both versions alike', () => {
    const sample = {
      measurand: 'Energy.Active.Import.Register',
      phase: null,
      location: 'Outlet',
      context: 'Sample.Periodic',
      value: '1062.5',
      number: 1062.5,
      unit: 'Wh',
      signed: null,
    }
    expect(read16({ value: '1062.5' })).toMatchObject({ meterValues: [{ samples: [sample] }], violations: [] })
    expect(read201({ value: 1062.5 })).toMatchObject({ meterValues: [{ samples: [sample] }], violations: [] })
    expect(sampleOf(read16({ value: '1.0625', unit: 'kWh' }))).toEqual(sample)
    expect(sampleOf(read201({ value: 10.625, unitOfMeasure: { unit: 'kWh', multiplier: -1 } }))).toEqual(sample)
  })

  test.each([
    ['a number for a value', { value: 12.5 }, '12.5', 'value-type'],
    ['a padded value', { value: '  12.5 ' }, '12.5', 'text-padded'],
    ['a decimal comma', { value: '12,5' }, '12.5', 'value-unreadable'],
    ['an exponent', { value: '1.25e1' }, '12.5', undefined],
    ['an unknown context', { value: '12.5', context: 'Whenever' }, '12.5', 'field-value'],
    ['an unknown measurand', { value: '12.5', measurand: 'Vendor.Thing' }, '12.5', 'field-value'],
    ['an unknown unit', { value: '12.5', unit: 'bananas' }, '12.5', 'unit-unknown'],
    ['kWh in capitals', { value: '0.0125', unit: 'KWH' }, '12.5', 'unit-spelling'],
    ['Hertz', { value: '50', measurand: 'Frequency', unit: 'Hertz' }, '50', 'unit-spelling'],
    ['C for Celsius', { value: '21', measurand: 'Temperature', unit: 'C' }, '21', 'unit-spelling'],
    ['Celcius', { value: '21', measurand: 'Temperature', unit: 'Celcius' }, '21', undefined],
    ['Wh for power', { value: '11', measurand: 'Power.Active.Import', unit: 'Wh' }, '11', 'unit-mismatch'],
    ['kW for energy', { value: '11', unit: 'kW' }, '11000', 'unit-mismatch'],
    ['L1-N for current', { value: '16', measurand: 'Current.Import', phase: 'L1-N', unit: 'A' }, '16', undefined],
  ])('%s is read and counted', (_, sample, value, kind) => {
    const reading = read16(sample)
    expect(sampleOf(reading)?.value).toBe(value)
    expect(kinds(reading)).toEqual(kind ? [kind] : [])
  })

  test('the unit without prefix follows the measurand', () => {
    expect(sampleOf(read16({ value: '11', measurand: 'Power.Active.Import', unit: 'kWh' }))).toMatchObject({
      unit: 'W',
      value: '11000',
    })
    expect(sampleOf(read16({ value: '80', measurand: 'SoC' }))).toMatchObject({ unit: 'Percent' })
    expect(sampleOf(read16({ value: '5', unit: 'bananas' }))).toMatchObject({ unit: 'bananas' })
  })

  test.each([
    ['an empty value', { value: '' }, 'value-empty'],
    ['blanks', { value: '  ' }, 'value-empty'],
    ['garbage', { value: 'NaN' }, 'value-unreadable'],
    ['no value', {}, 'field-missing'],
    ['an object', { value: {} }, 'value-type'],
    ['an exponent beyond any meter', { value: '1e999' }, 'value-unreadable'],
  ])('%s is dropped and counted, its neighbours stay', (_, sample, kind) => {
    const sampledValue = [sample, { value: '7' }]
    const reading = readMeterValues16({ connectorId: 1, meterValue: [{ timestamp, sampledValue }] }, receivedAt)
    expect(reading.meterValues[0]?.samples.map(({ value }) => value)).toEqual(['7'])
    expect(kinds(reading)).toEqual([kind])
  })

  test('a 2.0.1 value sent as text, or with more digits than a double has, is exact', () => {
    expect(read201({ value: '12.5' })).toMatchObject({ violations: [{ kind: 'value-type' }] })
    const frame = parseFrame(
      `[2,"a","MeterValues",{"evseId":1,"meterValue":[{"timestamp":"${timestamp}","sampledValue":[{"value":123456789.123456789}]}]}]`,
      'ocpp2.0.1',
    )
    const reading = readMeterValues201(frame.kind === 'call' ? frame.payload : null, receivedAt)
    expect(reading.violations).toEqual([])
    expect(sampleOf(reading)?.value).toBe('123456789.123456789')
  })

  test('an unknown phase or location is never taken for the total at the outlet', () => {
    expect(sampleOf(read16({ value: '1', phase: 'R' }))?.phase).toBe('R')
    expect(sampleOf(read16({ value: '1', location: 'Roof' }))?.location).toBe('Roof')
  })

  test('signed data is kept as it came', () => {
    const signedMeterData = ' OCMF|{"x":1}|{"SD":"3045"} '
    expect(sampleOf(read16({ value: signedMeterData, format: 'SignedData' }))).toMatchObject({
      value: null,
      signed: { signedMeterData },
    })
    const signedMeterValue = { signedMeterData, signingMethod: '', encodingMethod: 'OCMF', publicKey: '' }
    expect(sampleOf(read201({ value: 5, signedMeterValue }))).toMatchObject({ value: '5', signed: signedMeterValue })
  })

  test('an empty list of samples is counted, the other readings stay', () => {
    const meterValue = [{ timestamp, sampledValue: [] }, { timestamp: '0', sampledValue: [{ value: '7' }] }, 'rubbish']
    const reading = readMeterValues16({ connectorId: 1, meterValue }, receivedAt)
    expect(reading.meterValues).toMatchObject([{ at: receivedAt, guessed: true }])
    expect(kinds(reading).sort()).toEqual(['field-type', 'samples-empty', 'timestamp-unreadable'])
  })

  test('a million bad samples make a hundred notes', () => {
    const sampledValue = Array.from({ length: 100_000 }, () => ({ value: '' }))
    expect(readMeterValues16({ meterValue: [{ timestamp, sampledValue }] }, receivedAt).violations).toHaveLength(100)
  })

  test('readings without an address are still read', () => {
    const reading = readMeterValues16({ meterValue: [{ timestamp, sampledValue: [{ value: '7' }] }] }, receivedAt)
    expect(reading).toMatchObject({ connectorId: null, transactionId: null, violations: [{ kind: 'field-missing' }] })
    expect(reading.meterValues).toHaveLength(1)
  })
})

describe('2.0.1 TransactionEvent', () => {
  const read = (change: Payload) => readTransactionEvent201({ ...event, ...change }, receivedAt)

  test('everything it may say is read', () => {
    const full = {
      offline: true,
      numberOfPhasesUsed: 3,
      cableMaxCurrent: 32,
      reservationId: 5,
      evse: { id: 1, connectorId: 2 },
      idToken: { idToken: 'CARD', type: 'ISO14443' },
      transactionInfo: {
        transactionId: 't-1',
        chargingState: 'Charging',
        timeSpentCharging: 60,
        stoppedReason: 'EVDisconnected',
        remoteStartId: 9,
      },
      meterValue: [{ timestamp, sampledValue: [{ value: 7 }] }],
    }
    expect(read(full)).toEqual({
      eventType: 'Started',
      transactionId: 't-1',
      seqNo: 0,
      timestamp: { at: new Date(timestamp), guessed: false },
      triggerReason: 'Authorized',
      offline: true,
      chargingState: 'Charging',
      stoppedReason: 'EVDisconnected',
      remoteStartId: 9,
      timeSpentChargingSeconds: 60,
      reservationId: 5,
      numberOfPhasesUsed: 3,
      cableMaxCurrentA: 32,
      evseId: 1,
      connectorId: 2,
      idToken: { value: 'CARD', type: 'ISO14443' },
      meterValues: [expect.objectContaining({ guessed: false })],
      violations: [],
    })
  })

  test('what is absent is null', () => {
    expect(read({})).toMatchObject({ offline: false, evseId: null, idToken: null, meterValues: [], violations: [] })
  })

  test('a reading whose time is unreadable is as old as its event, not as its receipt', () => {
    const meterValue = [{ timestamp: '0', sampledValue: [{ value: 7 }] }]
    expect(read({ meterValue }).meterValues).toMatchObject([{ at: new Date(timestamp), guessed: true }])
    expect(read({ meterValue, timestamp: 0 }).meterValues).toMatchObject([{ at: receivedAt, guessed: true }])
  })

  test('a missing triggerReason or connector is tolerated', () => {
    expect(read({ triggerReason: undefined })).toMatchObject({
      triggerReason: null,
      violations: [{ kind: 'field-missing' }],
    })
    expect(read({ evse: { id: 1 } })).toMatchObject({ evseId: 1, connectorId: null, violations: [] })
  })

  test('a token came when the field came, however it looks', () => {
    expect(read({ idToken: { idToken: '', type: 'NoAuthorization' } })).toMatchObject({
      idToken: { value: '', type: 'NoAuthorization' },
      violations: [],
    })
    expect(read({ idToken: 'CARD' }).idToken).toEqual({ value: 'CARD', type: null })
    expect(read({ idToken: 7 }).idToken).toEqual({ value: '', type: null })
  })

  test.each([
    ['eventType', { eventType: undefined }],
    ['eventType', { eventType: 'Paused' }],
    ['seqNo', { seqNo: undefined }],
    ['transactionId', { transactionInfo: {} }],
    ['transactionId', { transactionInfo: undefined }],
    ['transactionId', { transactionInfo: { transactionId: '' } }],
  ])('without a readable %s it is refused', (field, change) => {
    expect(missingOf(() => read(change))).toEqual([field])
  })

  test('ids and numbers of the wrong type are read', () => {
    const reading = read({ seqNo: '4', eventType: 'ended', transactionInfo: { transactionId: 12 }, offline: 'true' })
    expect(reading).toMatchObject({ seqNo: 4, eventType: 'Ended', transactionId: '12', offline: true })
    expect(reading.violations).toHaveLength(4)
  })
})
