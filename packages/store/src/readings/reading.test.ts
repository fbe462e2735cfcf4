import { expect, test } from 'vitest'
import { packReadings, unpackReadings } from './pack.js'
import { decodeReading, encodeReading } from './reading.js'

const periodic = { context: 'Sample.Periodic' }
/** Four samples of 1.6, as a station sends them every minute. */
const usual = (minute: number) => ({
  evseNumber: 1,
  connectorNumber: 1,
  samples: [
    { value: String(1_234_567 + 184 * minute), ...periodic, measurand: 'Energy.Active.Import.Register', unit: 'Wh' },
    { value: String(11_040 - ((minute * 37) % 90)), ...periodic, measurand: 'Power.Active.Import', unit: 'W' },
    { value: `16.${minute % 10}`, ...periodic, measurand: 'Current.Import', unit: 'A', phase: 'L1' },
    { value: String(20 + Math.floor(minute / 2)), ...periodic, measurand: 'SoC', unit: 'Percent' },
  ],
})
const signed = {
  evseNumber: 2,
  connectorNumber: 1,
  samples: [{ value: 12.5, signedMeterValue: { signedMeterData: 'T0NNRnx7é+/=', encodingMethod: 'OCMF' } }],
}

test('what earlier versions stored is read: the bytes of a reading and of a pack', () => {
  const bytes = (hex: string) => Buffer.from(hex, 'hex')

  expect(decodeReading(bytes('010101110117011e5e022201008eda9601c0ac01c00228'))).toEqual(usual(0))
  expect(encodeReading(usual(0)).toString('hex')).toBe('010101110117011e5e022201008eda9601c0ac01c00228')
  expect(decodeReading(encodeReading(signed))).toEqual(signed)
  expect(
    unpackReadings(
      bytes('0163e465646414641467948b63526264606162606878f2bfff7dda8195ec17f82ff0f7dd9ac6f881e9c01a46cf034c4c1a0c00'),
    ).map(({ reading }) => decodeReading(reading)),
  ).toEqual([usual(0), usual(1)])
})

test('four samples take some twenty bytes, and in a pack of an hour fewer than fifteen', () => {
  const rows = Array.from({ length: 60 }, (_, minute) => ({
    sampledAt: new Date(Date.UTC(2026, 0, 1, 10, minute, 0, (minute * 17) % 30)),
    receivedAt: new Date(Date.UTC(2026, 0, 1, 10, minute, 0, 80 + ((minute * 29) % 50))),
    reading: encodeReading(usual(minute)),
  }))

  expect(Math.max(...rows.map(({ reading }) => reading.length))).toBeLessThanOrEqual(24)
  expect(packReadings(rows).length / rows.length).toBeLessThan(15)
})

test('signed values lie as JSON, letter for letter', () => {
  const encoded = encodeReading(signed)
  expect(encoded[0]).toBe(0)
  expect(encoded.toString('utf8')).toContain('"T0NNRnx7é+/="')
})

test('bytes of a later version are refused, not misread', () => {
  expect(() => decodeReading(Buffer.of(9, 1, 1, 0))).toThrow('shape 9')
  expect(() => unpackReadings(Buffer.of(9))).toThrow('shape 9')
})
