import type { Sql } from '@busbar/store'

/** Names as the writer spelled them; values are UTF-8 text. */
export type Headers = Record<string, string>

export interface LogRecord {
  topic: string
  partition: number
  offset: bigint
  /** The station; empty when a foreign writer gave none. */
  key: string
  value: Buffer
  headers: Headers
  appendedAt: Date
}

export interface OutgoingRecord {
  /** A full name out of `topicNames`. */
  topic: string
  /** Decides the partition: records of one key keep their order. */
  key: string
  value: Buffer | string
  headers: Headers
}

/** Key, value and headers of a record together, in bytes. */
export const maxRecordBytes = 5 * 1024 * 1024

/** What all partitions in hand delivered at one moment; the records of a partition in offset order. */
export interface LogBatch {
  records: LogRecord[]
  /**
   * Moves the consumer's offsets behind these records. Has to be in the commit of the effects: it raises
   * OffsetConflictError when another worker moved one of them since it was read.
   */
  advance: Sql
}

export interface ConsumeOptions {
  /** Name of the group. Members share the partitions; partition p of all topics goes to one member. */
  service: string
  topics: string[]
  /** Those among them whose records nobody waits for: after each batch with some of them more gather for 200 ms. */
  gathered?: readonly string[]
  /**
   * One at a time. Once it resolves, the offsets have moved. It is called again with the same records after it threw:
   * OffsetConflictError, when the offsets were read anew and the partition is still ours; UnavailableError, and
   * anything else, after a pause.
   */
  onBatch: (batch: LogBatch) => Promise<void>
  /** All partitions this member has from now on; before their first record. */
  onAssigned?: (partitions: number[]) => void
  onRevoked?: (partitions: number[]) => void
}

export interface TailOptions {
  topics: string[]
  /** `last`: so many records back from the end, of all partitions together. */
  from: 'beginning' | { last: number }
  /** Where reading begins: the first offset of each partition that is, or will be, given. Before their first record. */
  onBegun?: (begun: { topic: string; partition: number; next: bigint }[]) => void
  onRecords: (records: LogRecord[]) => void
}

/**
 * The event log. Order: per key, in the order of the calls of `append`. Delivery: at least once into the log, and once
 * into Postgres for a consumer that commits `advance` with its effects.
 */
export interface EventLog {
  /** `embedded`, or the Kafka cluster id: what `consumer_offset.log` holds. */
  readonly id: string
  /** False while the log is known to be away; appends are refused at once then, a canary brings it back. */
  readonly available: boolean
  /**
   * Resolves when the log holds the record. After a failure nobody knows whether it does.
   * @param options linger: nobody decides on this one; where others are talking it may wait up to 20 ms for their
   * company, and with 'alone' wherever it is
   * @throws UnavailableError when the log is away, at the latest after 20 s; whatever was appended after it fails too
   * @throws Error for an unknown topic or a record above `maxRecordBytes`: a bug of the caller
   */
  append(record: OutgoingRecord, options?: { linger?: boolean | 'alone' }): Promise<void>
  /** Resolves once the group is joined. */
  consume(options: ConsumeOptions): Promise<{ stop(): Promise<void> }>
  /**
   * All partitions, no offsets kept. Resolves once all that was appended before, from the given place on, was seen (10 s at
   * most), and every record from now on will be: the first after a quiet time at once, others within 200 ms.
   */
  tail(options: TailOptions): Promise<{ stop(): Promise<void> }>
  close(): Promise<void>
}
