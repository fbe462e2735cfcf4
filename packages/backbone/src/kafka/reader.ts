import { setTimeout as sleep } from 'node:timers/promises'
import { OffsetConflictError } from '@busbar/store'
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs'
import type { LogRecord } from '../ports/event-log.js'
import { Gathering } from '../shared/gathering.js'
import { type Positions, positionKey, type TopicPartition } from '../shared/offsets.js'
import { backoffMs, GroupMember, type GroupMemberOptions, heartbeatMs } from './group-member.js'
import { readHeaders } from './headers.js'

/** Where a partition stands, and where to read on: later than `next` when the log has lost what was there. */
export interface Place {
  next: bigint
  seek: bigint
}

export interface ReaderOptions extends Pick<GroupMemberOptions, 'kafka' | 'groupId' | 'topics' | 'log'> {
  /** Of every topic. */
  partitions: number
  /** Topics that nobody waits for. */
  gathered?: readonly string[] | undefined
  /** Where to read from; asked for what is newly assigned and after every failure, until it answers. */
  place: (partitions: readonly TopicPartition[]) => Promise<Map<string, Place>>
  /** What all partitions have at hand; one call at a time. Moves `positions`; after it threw it is given the same again. */
  deliver: (records: LogRecord[], positions: Positions) => Promise<void>
  onAssigned?: ((partitions: number[]) => void) | undefined
  onRevoked?: ((partitions: number[]) => void) | undefined
  onConflict?: () => void
  onPause?: () => void
}

/** Where offsets cannot be read a leader mostly moves, and who waits for it too long adds to that. */
const maxPlaceAgainMs = 1_000

/** What this member holds since it last joined the group. A partition without position is paused. */
interface Assignment {
  partitions: TopicPartition[]
  positions: Positions
}

type Outcome = 'applied' | 'again'

interface Part {
  assignment: Assignment
  records: LogRecord[]
  heartbeat: () => Promise<void>
  resolve: (outcome: Outcome) => void
  reject: (error: unknown) => void
}

/**
 * A member of a Kafka group whose offsets are kept elsewhere. On every join the partitions that are new to it are paused at
 * once, placed by `place`, and only then read; kafkajs would otherwise deliver what it fetched before the seek. Those that
 * it keeps are read on.
 */
export class KafkaReader {
  readonly #options: ReaderOptions
  readonly #member: GroupMember
  readonly #gathering: Gathering
  readonly #stopping = new AbortController()
  readonly #placed: Promise<void>
  #onPlaced: () => void = () => {}
  #assignment: Assignment = { partitions: [], positions: new Map() }
  #parts: Part[] = []
  #delivering = false
  #failures = 0

  constructor(options: ReaderOptions) {
    this.#options = options
    this.#placed = new Promise((resolve) => {
      this.#onPlaced = resolve
    })
    this.#gathering = new Gathering(options.gathered ?? [], () => this.#resume(this.#gathered()))
    this.#member = new GroupMember({
      ...options,
      run: (consumer) => this.#run(consumer),
      onJoin: (assigned, isSameMember) => this.#join(assigned, isSameMember),
    })
  }

  get assignment(): Readonly<Assignment> {
    return this.#assignment
  }

  /** Resolves once the group is joined and the first partitions are placed. */
  async start(): Promise<void> {
    await this.#member.start()
    await this.#placed
  }

  /** Reads these on from where they belong by now. */
  placeAgain(partitions: readonly TopicPartition[]): void {
    const assignment = this.#assignment
    this.#pause(partitions)
    for (const each of partitions) assignment.positions.delete(positionKey(each))
    void this.#place(assignment, partitions)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#gathering.stop()
    this.#onPlaced()
    await this.#member.stop()
  }

  async #run(consumer: Consumer): Promise<void> {
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      // All that one fetch brought is in hand at once, and shares a delivery.
      partitionsConsumedConcurrently: this.#options.topics.length * this.#options.partitions,
      eachBatch: (payload) => this.#eachBatch(payload),
    })
  }

  #join(memberAssignment: Record<string, number[]>, isSameMember: boolean): void {
    const before = this.#assignment
    const keeps = isSameMember && !this.#delivering
    const partitions = Object.entries(memberAssignment).flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ topic, partition })),
    )
    const assignment: Assignment = { partitions, positions: new Map() }
    this.#assignment = assignment
    const others: TopicPartition[] = []
    for (const each of partitions) {
      const next = keeps ? before.positions.get(positionKey(each)) : undefined
      if (next === undefined) others.push(each)
      else this.#goOn(assignment, each, { next, seek: next })
    }
    this.#pause(others)
    const now = new Set(partitions.map((each) => each.partition))
    const revoked = numbersOf(before.partitions).filter((partition) => !now.has(partition))
    if (revoked.length > 0) this.#options.onRevoked?.(revoked)
    void this.#place(assignment, others, () => {
      this.#options.onAssigned?.(numbersOf(partitions))
      this.#onPlaced()
    })
  }

  /** Seeks paused partitions to where they belong and reads on, unless this member no longer holds them. */
  async #place(assignment: Assignment, partitions: readonly TopicPartition[], onPlaced = () => {}): Promise<void> {
    const isOver = () => this.#assignment !== assignment || this.#stopping.signal.aborted
    while (!isOver()) {
      try {
        const places = await this.#options.place(partitions)
        if (isOver()) return
        for (const each of partitions) {
          const place = places.get(positionKey(each))
          if (!place) throw new Error(`no offset for ${positionKey(each)}`)
          this.#goOn(assignment, each, place)
        }
        onPlaced()
        this.#resume(partitions)
        return
      } catch (cause) {
        this.#failures++
        this.#options.log.warn({ err: cause }, 'offsets could not be read; partitions stay paused')
        await this.#sleep(Math.min(maxPlaceAgainMs, backoffMs(this.#failures)))
      }
    }
  }

  #pause(partitions: readonly TopicPartition[]): void {
    whereJoined(() => this.#member.consumer.pause(byTopic(partitions)))
  }

  #resume(partitions: readonly TopicPartition[]): void {
    whereJoined(() => this.#member.consumer.resume(byTopic(partitions)))
  }

  #goOn({ positions }: Assignment, each: TopicPartition, { next, seek }: Place): void {
    this.#member.consumer.seek({ ...each, offset: seek.toString() })
    positions.set(positionKey(each), next)
  }

  async #eachBatch({ batch, heartbeat, resolveOffset }: EachBatchPayload): Promise<void> {
    const assignment = this.#assignment
    if (!assignment.positions.has(positionKey(batch))) return
    const records = batch.messages.map((message) => toRecord(message, batch))
    const outcome = await new Promise<Outcome>((resolve, reject) => {
      this.#parts.push({ assignment, records, heartbeat, resolve, reject })
      // The other partitions of this fetch are handed over in the same turn of the event loop.
      if (!this.#delivering) setImmediate(() => void this.#deliverParts())
      this.#delivering = true
    })
    if (outcome === 'applied') resolveOffset(batch.lastOffset())
  }

  async #deliverParts(): Promise<void> {
    while (this.#parts.length > 0) {
      const parts = this.#parts.splice(0)
      const current = parts.filter((part) => part.assignment === this.#assignment)
      for (const part of parts) if (!current.includes(part)) part.resolve('again')
      const [first] = current
      if (!first) continue
      // A batch may take longer than the session lasts. What a failed heartbeat means kafkajs finds after the batch.
      const timer = setInterval(() => first.heartbeat().catch(() => {}), heartbeatMs)
      const records = current.flatMap((part) => part.records)
      try {
        await this.#options.deliver(records, first.assignment.positions)
        this.#failures = 0
        if (this.#gathering.delivered(records)) this.#pause(this.#gathered())
        for (const part of current) part.resolve('applied')
      } catch (cause) {
        await this.#putOff(current, first, cause)
      } finally {
        clearInterval(timer)
      }
    }
    this.#delivering = false
  }

  /** Placed partitions of topics that gather; what is not placed stays paused until it is. */
  #gathered(): TopicPartition[] {
    const { partitions, positions } = this.#assignment
    const topics = this.#options.gathered ?? []
    return partitions.filter((each) => topics.includes(each.topic) && positions.has(positionKey(each)))
  }

  /** Pauses the partitions of these parts, places them anew and reads them again, as far as they are still ours. */
  async #putOff(parts: readonly Part[], { assignment, heartbeat }: Part, cause: unknown): Promise<void> {
    const { log, onConflict, onPause } = this.#options
    const partitions = parts.flatMap(({ records: [record] }) => (record ? [toTopicPartition(record)] : []))
    this.#pause(partitions)
    for (const each of partitions) assignment.positions.delete(positionKey(each))
    const conflict = cause instanceof OffsetConflictError
    if (conflict) {
      onConflict?.()
      log.warn({ err: cause }, 'another worker moved the offsets')
      try {
        await heartbeat()
      } catch (lost) {
        // Where we are no longer a member in good standing kafkajs joins again, and the join ends this assignment.
        for (const part of parts) part.reject(lost)
      }
    } else {
      this.#failures++
      onPause?.()
      log.warn({ err: cause, partitions: numbersOf(partitions) }, 'batch put off')
    }
    void this.#readAgain(assignment, partitions, conflict ? 0 : backoffMs(this.#failures))
    for (const part of parts) part.resolve('again')
  }

  async #readAgain(assignment: Assignment, partitions: TopicPartition[], delayMs: number): Promise<void> {
    if (delayMs > 0) await this.#sleep(delayMs)
    await this.#place(assignment, partitions)
  }

  async #sleep(delayMs: number): Promise<void> {
    await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
  }
}

/** Between a crash and the next start kafkajs has no group and throws; the join that follows places all anew. */
function whereJoined(change: () => void): void {
  try {
    change()
  } catch (cause) {
    if (!(cause instanceof Error) || cause.name !== 'KafkaJSNonRetriableError') throw cause
  }
}

const toTopicPartition = ({ topic, partition }: TopicPartition): TopicPartition => ({ topic, partition })

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition])
  return [...topics].map(([topic, numbers]) => ({ topic, partitions: numbers }))
}

const numbersOf = (partitions: readonly TopicPartition[]): number[] =>
  [...new Set(partitions.map((each) => each.partition))].sort((a, b) => a - b)

function toRecord(message: KafkaMessage, { topic, partition }: TopicPartition): LogRecord {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key?.toString() ?? '',
    value: message.value ?? Buffer.alloc(0),
    headers: readHeaders(message.headers),
    appendedAt: new Date(Number(message.timestamp)),
  }
}
