/**
 * The partition of a key, as Kafka's default partitioner chooses it: writers of other languages agree with us.
 * @param key UTF-8; murmur2 with Kafka's seed, sign bit cleared, modulo
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions
}

const m = 0x5bd1e995

function murmur2(data: Buffer): number {
  let hash = 0x9747b28c ^ data.length
  const whole = data.length & ~3
  for (let i = 0; i < whole; i += 4) {
    let k = Math.imul(data.readInt32LE(i), m)
    k = Math.imul(k ^ (k >>> 24), m)
    hash = Math.imul(hash, m) ^ k
  }
  if (whole < data.length) {
    for (let i = data.length - 1; i >= whole; i--) hash ^= data.readUInt8(i) << (8 * (i - whole))
    hash = Math.imul(hash, m)
  }
  hash = Math.imul(hash ^ (hash >>> 13), m)
  return hash ^ (hash >>> 15)
}
