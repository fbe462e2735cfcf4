import { setTimeout as sleep } from 'node:timers/promises'
import type { LogRecord, TailOptions } from '../ports/event-log.js'
import { type Positions, positionKey, type TopicPartition } from './offsets.js'

/** Earliest offset and the one after the last. */
export interface Range extends TopicPartition {
  low: bigint
  high: bigint
}

/** A log that trims what a tail is about to read keeps nobody from starting for longer. */
const patienceMs = 10_000

/** How far a tail has read, and whether that is as far as the log went when it began. */
export class TailProgress {
  readonly read: Positions = new Map()
  readonly #options: TailOptions
  /** Where the log ended, of partitions that were not read so far yet. */
  readonly #behind = new Map<string, bigint>()
  readonly #caughtUp: Promise<void>
  #onCaughtUp: () => void = () => {}

  constructor(options: TailOptions) {
    this.#options = options
    this.#caughtUp = new Promise((resolve) => {
      this.#onCaughtUp = resolve
    })
  }

  /** Also where nothing is read before the reader is placed anew: what came meanwhile is not skipped. */
  begin(ranges: readonly Range[]): void {
    const { from, onBegun } = this.#options
    const fresh = ranges.filter((each) => !this.read.has(positionKey(each)))
    const starts = from === 'beginning' ? fresh.map(({ low }) => low) : backFromEnd(fresh, from.last)
    const begun = fresh.map(({ topic, partition }, index) => ({ topic, partition, next: starts[index] ?? 0n }))
    for (const each of begun) this.read.set(positionKey(each), each.next)
    for (const each of fresh) this.#behind.set(positionKey(each), each.high)
    onBegun?.(begun)
    this.#settle(fresh.map(positionKey))
  }

  give(records: readonly LogRecord[]): void {
    const fresh = records.filter((record) => record.offset >= (this.read.get(positionKey(record)) ?? 0n))
    if (fresh.length === 0) return
    for (const record of fresh) this.read.set(positionKey(record), record.offset + 1n)
    this.#options.onRecords(fresh)
    this.#settle(new Set(fresh.map(positionKey)))
  }

  /** Resolves once all was given that the log held at the beginning. */
  async caughtUp(): Promise<void> {
    const waiting = new AbortController()
    await Promise.race([this.#caughtUp, sleep(patienceMs, undefined, { signal: waiting.signal }).catch(() => {})])
    waiting.abort()
  }

  #settle(keys: Iterable<string>): void {
    for (const key of keys) {
      if ((this.read.get(key) ?? 0n) >= (this.#behind.get(key) ?? 0n)) this.#behind.delete(key)
    }
    if (this.#behind.size === 0) this.#onCaughtUp()
  }
}

/** Where `last` records of all partitions together begin: as many of each, of a shorter one all there are. */
export function backFromEnd(ranges: readonly { low: bigint; high: bigint }[], last: number): bigint[] {
  const lengthOf = ({ low, high }: { low: bigint; high: bigint }) => high - low
  const starts = new Map<object, bigint>()
  let left = BigInt(last)
  const byLength = ranges.toSorted((one, other) => Number(lengthOf(one) - lengthOf(other)))
  for (const [index, range] of byLength.entries()) {
    const share = left / BigInt(byLength.length - index)
    const length = lengthOf(range) < share ? lengthOf(range) : share
    starts.set(range, range.high - length)
    left -= length
  }
  return ranges.map((range) => starts.get(range) ?? range.high)
}
