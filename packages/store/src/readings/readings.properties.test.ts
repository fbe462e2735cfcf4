import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packReadings, type StoredReading, unpackReadings } from './pack.js'
import { decodeReading, encodeReading } from './reading.js'
import { ByteReader, ByteWriter } from './varint.js'
import { words } from './words.js'

const runs = Number(process.env.PROPERTY_RUNS ?? 300)

const digits = (maxLength: number) =>
  fc.array(fc.constantFrom(...'0123456789'), { minLength: 1, maxLength }).map((each) => each.join(''))
/** Values as meters write them, as they should not, and of any other kind. */
const value = fc.oneof(
  digits(9),
  fc
    .tuple(fc.constantFrom('', '-', '+'), digits(17), digits(9))
    .map(([sign, whole, rest]) => `${sign}${whole}.${rest}`),
  fc.constantFrom('0', '-0', '-0.0', '00', '1.', '.5', '1e3', '', ' 1', 'NaN'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0 || 0),
  fc.integer(),
  fc.string(),
  fc.jsonValue(),
)
const word = fc.constantFrom(...words.flatMap((each) => Object.entries(each)))
const member = fc.oneof(
  { weight: 20, arbitrary: word },
  // Like a word, but of another type or in other letters.
  { weight: 1, arbitrary: word.map(([name, each]): [string, unknown] => [name, JSON.stringify(each)]) },
  { weight: 1, arbitrary: word.map(([name, each]): [string, unknown] => [name, [each]]) },
  { weight: 1, arbitrary: fc.tuple(fc.string(), fc.jsonValue()) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('unit'), fc.string()) },
)
const sample = fc
  .tuple(fc.constantFrom(...words, {}), fc.array(member, { maxLength: 4 }), fc.option(value, { nil: undefined }))
  .map(([start, members, each]) => ({
    ...start,
    ...Object.fromEntries(members),
    ...(each !== undefined && { value: each }),
  }))
const count = fc.nat(2 ** 31 - 1)
// As it came out of JSON: what the property makes may hold a -0.
const reading = fc
  .record({ evseNumber: count, connectorNumber: count, samples: fc.array(sample, { maxLength: 6 }) })
  .map((each) => JSON.parse(JSON.stringify(each)))
const time = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})

test('a reading comes back as it was sent, text by text and number by number', () => {
  fc.assert(
    fc.property(reading, (sent) => {
      expect(decodeReading(encodeReading(sent))).toEqual(sent)
    }),
    { numRuns: runs },
  )
})

test('equal readings are equal bytes, whatever the order of the members of their samples', () => {
  const shuffled = fc
    .tuple(fc.constantFrom(...words), fc.constantFrom(...words), fc.constantFrom(...words), digits(9))
    .chain(([first, second, third, sent]) => {
      const members = Object.entries({ ...first, ...second, ...third, value: sent })
      return fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length }))
    })
  const encode = (members: [string, unknown][]) =>
    encodeReading({ evseNumber: 1, connectorNumber: 1, samples: [Object.fromEntries(members)] })
  fc.assert(
    fc.property(
      shuffled.filter(([members]) => encode(members)[0] === 1),
      ([members, others]) => {
        expect(encode(others)).toEqual(encode(members))
      },
    ),
    { numRuns: runs },
  )
})

test('a pack gives back its readings in their order, byte for byte', () => {
  const stored = fc.array(fc.record({ sampledAt: time, receivedAt: time, reading: reading.map(encodeReading) }))
  // Texts are compared at once, bytes one by one.
  const legible = (readings: StoredReading[]) =>
    readings.map((each) => ({ ...each, reading: Buffer.from(each.reading).toString('hex') }))
  fc.assert(
    fc.property(stored, (readings: StoredReading[]) => {
      expect(legible(unpackReadings(packReadings(readings)))).toEqual(legible(readings))
    }),
    { numRuns: runs },
  )
})

test('whole numbers of either sign up to 2^52 come back', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -(2 ** 52), max: 2 ** 52 })), (numbers) => {
      const writer = new ByteWriter()
      for (const number of numbers) writer.signed(number)
      const reader = new ByteReader(writer.take())
      expect(numbers.map(() => reader.signed())).toEqual(numbers)
      expect(reader.isAtEnd).toBe(true)
    }),
    { numRuns: runs },
  )
})
