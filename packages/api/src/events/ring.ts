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
  readonly #entries: RingEntry[] = []
  #end = 0
  readonly #vector = new Map<number, bigint>()
  /** Per partition, the last offset that is not in the ring any more, or never was. */
  readonly #floor = new Map<number, bigint>()
  readonly #evicted = new Set<number>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** The oldest position that can be read. */
  get start(): number {
    return Math.max(0, this.#end - this.#capacity)
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
    const { partition, offset } = event
    if (!this.#floor.has(partition)) this.#floor.set(partition, offset - 1n)
    const slot = this.#end % this.#capacity
    const overwritten = this.#entries[slot]
    if (overwritten) {
      this.#floor.set(overwritten.partition, overwritten.offset)
      this.#evicted.add(overwritten.partition)
    }
    this.#vector.set(partition, offset)
    this.#entries[slot] = { ...event, id: this.id }
    this.#end += 1
  }

  at(position: number): RingEntry | undefined {
    return position >= this.start && position < this.#end ? this.#entries[position % this.#capacity] : undefined
  }

  /**
   * Whether every event after `seen` is still here. A partition we read nothing of since our start may have had events
   * that we never saw, so an id that knows more partitions than we do cannot be resumed.
   */
  holdsAllAfter(seen: OffsetVector): boolean {
    for (const partition of seen.keys()) if (!this.#vector.has(partition)) return false
    for (const [partition, floor] of this.#floor) {
      const offset = seen.get(partition)
      if (offset === undefined ? this.#evicted.has(partition) : offset < floor) return false
    }
    return true
  }
}

export function formatVector(vector: OffsetVector): string {
  return [...vector].map(([partition, offset]) => `${partition}:${offset}`).join(',')
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
