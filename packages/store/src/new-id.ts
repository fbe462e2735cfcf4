import { randomFillSync } from 'node:crypto'

const random = Buffer.alloc(16 * 256)
let used = random.length

/**
 * A UUIDv7: the first 48 bits are milliseconds since 1970, so rows written together lie together in the index.
 * @see RFC 9562 §5.7
 */
export function newId(now = Date.now()): string {
  if (used === random.length) {
    randomFillSync(random)
    used = 0
  }
  const bytes = random.subarray(used, used + 16)
  used += 16
  bytes.writeUIntBE(now, 0, 6)
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6)
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8)
  return toUuid(bytes.toString('hex'))
}

/** No id that is made at this time or later is below it. */
export function earliestId(at: Date): string {
  return toUuid(`${at.getTime().toString(16).padStart(12, '0')}70008000000000000000`)
}

function toUuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
