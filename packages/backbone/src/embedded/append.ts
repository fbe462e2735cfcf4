import { type Database, sql } from '@busbar/store'
import type { PlacedRecord } from '../shared/append-queue.js'
import { encodeHeaders } from '../shared/headers.js'

/**
 * Takes the offsets and writes the records in one statement. The rows of log_partition stay locked until it commits, so
 * offset order is commit order and a reader never sees n+1 before n.
 */
const insertRecords = sql(`
  WITH input AS (
    SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bytea[], $5::jsonb[]) WITH ORDINALITY
      AS r(topic, partition, key, value, headers, position)
  ), counted AS (
    SELECT topic, partition, count(*) AS records FROM input GROUP BY topic, partition
  ), taken AS (
    UPDATE log_partition AS p SET next = p.next + c.records
    FROM counted AS c WHERE p.topic = c.topic AND p.partition = c.partition
    RETURNING p.topic, p.partition, p.next - c.records AS first
  )
  INSERT INTO log_record (topic, partition, "offset", key, value, headers)
  SELECT topic, partition, first + row_number() OVER (PARTITION BY topic, partition ORDER BY position) - 1,
    key, value, headers
  FROM input JOIN taken USING (topic, partition)
  RETURNING 1`)

/** @throws UnavailableError; and Error when a partition does not exist, which would lose its records */
export async function appendToTable(database: Database, records: readonly PlacedRecord[]): Promise<void> {
  const inserted = await database.query(
    insertRecords(
      records.map((record) => record.topic),
      records.map((record) => record.partition),
      records.map((record) => record.key),
      records.map((record) => record.value),
      records.map((record) => encodeHeaders(record.headers)),
    ),
  )
  if (inserted.length !== records.length) throw new Error('the embedded log lacks a partition')
}
