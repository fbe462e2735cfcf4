import { type Database, type Sql, sql } from '@busbar/store'

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

const selectOffsets = sql(`
  SELECT topic, partition, next FROM consumer_offset
  JOIN unnest($3::text[], $4::int[]) AS r(topic, partition) USING (topic, partition)
  WHERE log = $1 AND service = $2`)
const insertOffsets = sql(`
  INSERT INTO consumer_offset (log, service, topic, partition, next)
  SELECT $1, $2, r.* FROM unnest($3::text[], $4::int[], $5::bigint[]) AS r
  ON CONFLICT DO NOTHING`)

type OffsetRow = TopicPartition & { next: bigint }

const toPositions = (rows: readonly OffsetRow[]): Positions => new Map(rows.map((row) => [positionKey(row), row.next]))

const whereOf = ({ log, service }: Consumer, partitions: readonly TopicPartition[]) =>
  [log, service, partitions.map((each) => each.topic), partitions.map((each) => each.partition)] as const

/**
 * Reads where a consumer stands; a partition it never read gets its row, at the earliest record.
 * @throws UnavailableError
 */
export async function readOffsets(
  database: Database,
  consumer: Consumer,
  partitions: readonly (TopicPartition & { earliest: bigint })[],
): Promise<Positions> {
  const where = whereOf(consumer, partitions)
  const earliest = partitions.map((each) => each.earliest)
  const [, rows] = await database.commit([insertOffsets(...where, earliest), selectOffsets(...where)])
  return toPositions(rows as OffsetRow[])
}

/**
 * Finds partitions where Postgres stands before what was applied: it lost commits, as a standby that was behind when it
 * took over, or came out of a backup.
 * @param positions as they were before this is asked
 * @throws UnavailableError
 */
export async function findSetBack(
  database: Database,
  consumer: Consumer,
  positions: ReadonlyMap<string, bigint>,
  partitions: readonly TopicPartition[],
): Promise<TopicPartition[]> {
  const kept = toPositions(await database.query<OffsetRow>(selectOffsets(...whereOf(consumer, partitions))))
  return partitions.filter((each) => {
    const applied = positions.get(positionKey(each))
    return applied !== undefined && (kept.get(positionKey(each)) ?? -1n) < applied
  })
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
