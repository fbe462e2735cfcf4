import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { joinReading, splitReading } from './reading.js'
import { ByteReader, ByteWriter } from './varint.js'

/** A reading as its row has it. */
export interface StoredReading {
  sampledAt: Date
  receivedAt: Date
  /** By `encodeReading`. */
  reading: Uint8Array
}

/*
 * How readings lie in a pack: one byte for the shape (1), then, deflated:
 *
 * - the number of frames; for each its length, a reading without its digits (`splitReading`), and how many digits it has;
 * - the number of readings, and one column after the other over all of them: which frame; sampledAt, less that of the
 *   reading before; receivedAt less sampledAt;
 * - frame by frame, for each of its digits, a column over its readings: the digits, less those before.
 *
 * Numbers as by `ByteWriter`, times in milliseconds. Readings of one meter differ by little, and deflate makes least of
 * columns of like numbers.
 */
const packShape = 1

interface Frame {
  place: number
  bytes: Uint8Array
  width: number
  /** Digits of its readings. */
  rows: number[][]
}

/** They come back in the same order. */
export function packReadings(readings: readonly StoredReading[]): Buffer {
  const frames = new Map<string, Frame>()
  const framed = readings.map(({ reading }) => {
    const { frame: bytes, digits } = splitReading(reading)
    const key = Buffer.from(bytes).toString('latin1')
    const frame = frames.get(key) ?? { place: frames.size, bytes, width: digits.length, rows: [] }
    frames.set(key, frame)
    frame.rows.push(digits)
    return frame
  })
  const writer = new ByteWriter()
  writer.unsigned(frames.size)
  for (const { bytes, width } of frames.values()) {
    writer.unsigned(bytes.length)
    writer.bytes(bytes)
    writer.unsigned(width)
  }
  writer.unsigned(readings.length)
  for (const { place } of framed) writer.unsigned(place)
  writeColumn(writer, readings, ({ sampledAt }) => sampledAt.getTime())
  for (const { sampledAt, receivedAt } of readings) writer.signed(receivedAt.getTime() - sampledAt.getTime())
  for (const { width, rows } of frames.values()) {
    for (let column = 0; column < width; column += 1) writeColumn(writer, rows, (row) => row[column] ?? 0)
  }
  return Buffer.concat([Buffer.of(packShape), deflateRawSync(writer.take(), { level: 9 })])
}

/** @throws Error for bytes that `packReadings` did not write */
export function unpackReadings(pack: Uint8Array): StoredReading[] {
  if (pack[0] !== packShape) throw new Error(`a pack of shape ${pack[0]}`)
  const reader = new ByteReader(inflateRawSync(pack.subarray(1)))
  const frames = times(reader.unsigned(), (place): Frame => {
    const bytes = reader.bytes(reader.unsigned())
    return { place, bytes, width: reader.unsigned(), rows: [] }
  })
  const count = reader.unsigned()
  const framed = times(count, () => {
    const frame = frames[reader.unsigned()]
    if (!frame) throw new Error('a pack names a frame it does not hold')
    return { frame, row: frame.rows.push([]) - 1 }
  })
  const sampledAt = readColumn(reader, count)
  const delays = times(count, () => reader.signed())
  for (const { width, rows } of frames) {
    for (let column = 0; column < width; column += 1) {
      for (const [index, digits] of readColumn(reader, rows.length).entries()) rows[index]?.push(digits)
    }
  }
  return framed.map(({ frame, row }, index) => {
    const at = sampledAt[index] ?? 0
    return {
      sampledAt: new Date(at),
      receivedAt: new Date(at + (delays[index] ?? 0)),
      reading: joinReading(frame.bytes, frame.rows[row] ?? []),
    }
  })
}

function writeColumn<Row>(writer: ByteWriter, rows: readonly Row[], numberOf: (row: Row) => number): void {
  let before = 0
  for (const row of rows) {
    const value = numberOf(row)
    writer.signed(value - before)
    before = value
  }
}

function readColumn(reader: ByteReader, length: number): number[] {
  let value = 0
  return times(length, () => {
    value += reader.signed()
    return value
  })
}

function times<Value>(count: number, make: (index: number) => Value): Value[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
