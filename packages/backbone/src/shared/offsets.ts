import type { Database, Sql } from '@busbar/store'

export interface TopicPartition {
  topic: string
  partition: number
}

/** Next offset per partition, under `positionKey`. */
export type Positions = Map<string, bigint>

export const positionKey = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** A consumer's name in `consumer_offset`. */
export interface Consumer {
  log: string
  service: string
}

export interface Move extends TopicPartition {
  from: bigint
  to: bigint
}

/**
 * Reads where a consumer stands; a partition it never read gets its row, at the earliest record.
 * @throws UnavailableError
 */
export async function readOffsets(
  database: Database,
  { log, service }: Consumer,
  partitions: readonly (TopicPartition & { earliest: bigint })[],
): Promise<Positions> {
  const topics = partitions.map((each) => each.topic)
  const numbers = partitions.map((each) => each.partition)
  const [, rows] = await database.commit([
    {
      text: `INSERT INTO consumer_offset (log, service, topic, partition, next)
        SELECT $1, $2, r.* FROM unnest($3::text[], $4::int[], $5::bigint[]) AS r
        ON CONFLICT DO NOTHING`,
      values: [log, service, topics, numbers, partitions.map((each) => each.earliest)],
    },
    {
      text: `SELECT topic, partition, next FROM consumer_offset
        JOIN unnest($3::text[], $4::int[]) AS r(topic, partition) USING (topic, partition)
        WHERE log = $1 AND service = $2`,
      values: [log, service, topics, numbers],
    },
  ])
  return new Map((rows as (TopicPartition & { next: bigint })[]).map((row) => [positionKey(row), row.next]))
}

/** @see advance_offsets in prisma/migrations: raises BB001 unless every row still stands at `from` */
export function advanceOffsets({ log, service }: Consumer, moves: readonly Move[]): Sql {
  return {
    name: 'advance_offsets',
    text: 'SELECT advance_offsets($1, $2, $3::text[], $4::int[], $5::bigint[], $6::bigint[])',
    values: [
      log,
      service,
      moves.map((move) => move.topic),
      moves.map((move) => move.partition),
      moves.map((move) => move.from),
      moves.map((move) => move.to),
    ],
  }
}
