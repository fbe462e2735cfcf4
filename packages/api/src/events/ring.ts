/** How far each partition was read: partition to the offset of its last event. */
export type OffsetVector = ReadonlyMap<number, bigint>

export interface RingEvent {
  partition: number
  offset: bigint
  stationId: string
  type: string
  /** The CloudEvent as it was published. */
  text: string
}

export interface RingEntry extends RingEvent {
  /** The offset vector with this event in it. */
  id: string
}

/**
 * The last events, in the order this process read them. Positions count events since the start, so a reader holds one
 * number and notices when it was overtaken.
 */
export class EventRing {
  readonly #capacity: number
  readonly #maxLength: number
  readonly #entries: (RingEntry | undefined)[] = []
  #start = 0
  #end = 0
  /** Of the texts held. */
  #length = 0
  readonly #vector = new Map<number, bigint>()
  /** Per partition, the last offset that is not in the ring any more, or never was. */
  readonly #floor = new Map<number, bigint>()

  /** @param maxLength of all texts together, but for a single one that is longer: some events carry what a station sent */
  constructor(capacity: number, maxLength = 32 * 1024 * 1024) {
    this.#capacity = capacity
    this.#maxLength = maxLength
  }

  /** @param next the first offset of the partition that will be pushed */
  begin(partition: number, next: bigint): void {
    this.#floor.set(partition, next - 1n)
    this.#vector.set(partition, next - 1n)
  }

  /** The oldest position that can be read. */
  get start(): number {
    return this.#start
  }

  /** The position the next event will have. */
  get end(): number {
    return this.#end
  }

  /** Empty before the first event. */
  get id(): string {
    return formatVector(this.#vector)
  }

  push(event: RingEvent): void {
    const { partition, offset, text } = event
    this.#length += text.length
    while (this.#end - this.#start === this.#capacity || (this.#length > this.#maxLength && this.#start < this.#end)) {
      this.#letGo()
    }
    this.#vector.set(partition, offset)
    this.#entries[this.#end % this.#capacity] = { ...event, id: this.id }
    this.#end += 1
  }

  #letGo(): void {
    const slot = this.#start % this.#capacity
    const oldest = this.#entries[slot]
    if (oldest) {
      this.#floor.set(oldest.partition, oldest.offset)
      this.#length -= oldest.text.length
    }
    this.#entries[slot] = undefined
    this.#start += 1
  }

  at(position: number): RingEntry | undefined {
    return position >= this.#start && position < this.#end ? this.#entries[position % this.#capacity] : undefined
  }

  /**
   * Whether every event after `seen` is still here. An id of another process will do: it counts the same offsets, and may be
   * ahead of what we have read yet. One that is further ahead than we hold events is of a log that is no more.
   */
  holdsAllAfter(seen: OffsetVector): boolean {
    for (const [partition, offset] of seen) {
      const last = this.#vector.get(partition)
      if (last === undefined || !this.#floor.has(partition) || offset > last + BigInt(this.#capacity)) return false
    }
    return [...this.#floor].every(([partition, floor]) => (seen.get(partition) ?? -1n) >= floor)
  }
}

export function formatVector(vector: OffsetVector): string {
  return [...vector]
    .filter(([, offset]) => offset >= 0n)
    .map(([partition, offset]) => `${partition}:${offset}`)
    .join(',')
}

/** @returns null for a text that is no offset vector */
export function parseVector(text: string): OffsetVector | null {
  if (text.length > 8_192 || !/^\d{1,9}:\d{1,19}(,\d{1,9}:\d{1,19})*$/.test(text)) return null
  return new Map(
    text.split(',').map((pair) => {
      const [partition = '', offset = ''] = pair.split(':')
      return [Number(partition), BigInt(offset)]
    }),
  )
}
