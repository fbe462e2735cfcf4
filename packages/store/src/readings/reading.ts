import { ByteReader, ByteWriter } from './varint.js'
import { usualContext, words } from './words.js'

/** One meterValue of a station: what was measured at one place at one moment. */
export interface Reading {
  evseNumber: number
  connectorNumber: number
  /** The sampledValue array as sent. */
  samples: readonly unknown[]
}

type Sample = Record<string, unknown>

/*
 * How a reading lies in Postgres. The first byte tells the shape:
 *
 * 0  JSON: [evseNumber, connectorNumber, samples]. For what the other has no word for: signed values, custom data, values
 *    that are no plain number.
 * 1  EVSE and connector; of each sample the codes of its words, then the code of its value (text or number, and how many
 *    digits follow the point); 0; the digits of all values in that order, without their points. Numbers are written as
 *    by `ByteWriter`: a register of seven digits takes four bytes.
 *
 * Either gives back what was sent: texts letter for letter, numbers digit for digit.
 */
const jsonShape = 0
const wordShape = 1

const endOfCodes = 0
const maxScale = 7
/** To the codes of values their scale is added. */
const textValue = 1
const numberValue = textValue + maxScale + 1
const firstWord = numberValue + maxScale + 1

/** As a number is written, or with zeros at its end. */
const plainNumber = /^-?(?:0|[1-9]\d*)(?:\.\d{1,7})?$/
/** So many digits are exact in a double. */
const maxLength = 15

const usualCodes = new Map<string, number>()
const memberCodes = new Map<string, Map<string, number>>()
for (const [index, word] of words.entries()) {
  const [[name = '', value] = [], ...others] = Object.entries(word)
  const code = firstWord + index
  if (others.length > 0) usualCodes.set(usualKey(word), code)
  else memberCodes.set(name, (memberCodes.get(name) ?? new Map<string, number>()).set(keyOf(value), code))
}

const writer = new ByteWriter()

export function encodeReading({ evseNumber, connectorNumber, samples }: Reading): Buffer {
  writer.byte(wordShape)
  writer.unsigned(evseNumber)
  writer.unsigned(connectorNumber)
  const values: number[] = []
  const isSaid = samples.every((sample) => writeSample(sample as Sample, values))
  writer.byte(endOfCodes)
  for (const value of values) writer.signed(value)
  const encoded = writer.take()
  if (isSaid) return encoded
  const json = JSON.stringify([evseNumber, connectorNumber, samples])
  return Buffer.concat([Buffer.of(jsonShape), Buffer.from(json)])
}

/** @returns false where there is no word for a member */
function writeSample(sample: Sample, values: number[]): boolean {
  const { value, context, unit, unitOfMeasure } = sample
  if (unit !== undefined && unitOfMeasure !== undefined) return false
  const usual = context === usualContext ? usualCodes.get(usualKey(sample)) : undefined
  const codes = usual === undefined ? [] : [usual]
  for (const name in sample) {
    if (name === 'value' || (usual !== undefined && usualNames.has(name))) continue
    const code = memberCodes.get(name)?.get(keyOf(sample[name]))
    if (code === undefined) return false
    codes.push(code)
  }
  // The same reading is the same bytes, in whatever order its members came.
  if (codes.length > 1) codes.sort((left, right) => left - right)
  for (const code of codes) writer.byte(code)
  return writeValue(value, values)
}

function writeValue(value: unknown, values: number[]): boolean {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || text.length > maxLength || !plainNumber.test(text)) return false
  const point = text.indexOf('.')
  const scale = point < 0 ? 0 : text.length - point - 1
  const digits = Number(point < 0 ? text : text.slice(0, point) + text.slice(point + 1))
  // It has no sign to be kept.
  if (digits === 0 && text.startsWith('-')) return false
  writer.byte((typeof value === 'number' ? numberValue : textValue) + scale)
  values.push(digits)
  return true
}

/** @throws Error for bytes that `encodeReading` did not write */
export function decodeReading(bytes: Uint8Array): Reading {
  const [shape] = bytes
  const reader = new ByteReader(bytes, 1)
  if (shape === jsonShape) {
    const json = Buffer.from(reader.rest()).toString('utf8')
    const [evseNumber, connectorNumber, samples] = JSON.parse(json) as [number, number, unknown[]]
    return { evseNumber, connectorNumber, samples }
  }
  if (shape !== wordShape) throw new Error(`a reading of shape ${shape}`)
  const evseNumber = reader.unsigned()
  const connectorNumber = reader.unsigned()
  const samples: Sample[] = []
  const valueCodes: number[] = []
  let sample: Sample = {}
  for (let code = reader.byte(); code !== endOfCodes; code = reader.byte()) {
    if (code >= firstWord) {
      Object.assign(sample, words[code - firstWord])
    } else {
      samples.push(sample)
      valueCodes.push(code)
      sample = {}
    }
  }
  for (const [index, code] of valueCodes.entries()) {
    samples[index] = { value: toValue(reader.signed(), code), ...samples[index] }
  }
  return { evseNumber, connectorNumber, samples }
}

function toValue(digits: number, code: number): string | number {
  const isNumber = code >= numberValue
  const scale = code - (isNumber ? numberValue : textValue)
  const plain = String(Math.abs(digits)).padStart(scale + 1, '0')
  const fraction = scale === 0 ? '' : `.${plain.slice(-scale)}`
  const text = `${digits < 0 ? '-' : ''}${plain.slice(0, plain.length - scale)}${fraction}`
  return isNumber ? Number(text) : text
}

/**
 * Takes the numbers out of a reading, for readings of one meter differ in little else.
 * @returns all up to the end of the codes, and the digits; no digits for the shape that has none apart
 */
export function splitReading(bytes: Uint8Array): { frame: Uint8Array; digits: number[] } {
  if (bytes[0] !== wordShape) return { frame: bytes, digits: [] }
  const reader = new ByteReader(bytes, 1)
  reader.unsigned()
  reader.unsigned()
  while (reader.byte() !== endOfCodes);
  const frame = bytes.subarray(0, reader.at)
  const digits: number[] = []
  while (!reader.isAtEnd) digits.push(reader.signed())
  return { frame, digits }
}

/** What `splitReading` took apart. */
export function joinReading(frame: Uint8Array, digits: readonly number[]): Buffer {
  writer.bytes(frame)
  for (const each of digits) writer.signed(each)
  return writer.take()
}

function usualKey({ measurand, unit, unitOfMeasure }: Sample): string {
  return `${keyOf(measurand)} ${keyOf(unit === undefined ? unitOfMeasure : unit)}`
}

const usualNames = new Set(['context', 'measurand', 'unit', 'unitOfMeasure'])

/** Of a member's value: a text and an object that is written alike differ. */
function keyOf(value: unknown): string {
  return typeof value === 'string' ? `"${value}` : (JSON.stringify(value) ?? '')
}
