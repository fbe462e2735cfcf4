import type { Database, Sql } from '@busbar/store'
import type { LogRecord } from '../index.js'

/** A table of effects without any key: what is applied twice is there twice. */
export const createApplied: Sql = {
  text: 'CREATE TABLE applied (id bigserial, worker text, topic text, partition int, "offset" bigint, value text)',
  values: [],
}

export const insertApplied = (worker: string, records: readonly LogRecord[]): Sql => ({
  text: `INSERT INTO applied (worker, topic, partition, "offset", value)
    SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[], $5::text[])`,
  values: [
    worker,
    records.map((record) => record.topic),
    records.map((record) => record.partition),
    records.map((record) => record.offset),
    records.map((record) => record.value.toString()),
  ],
})

export interface Applied {
  worker: string
  partition: number
  value: string
}

export const readApplied = (database: Database): Promise<Applied[]> =>
  database.query<Applied>({ text: 'SELECT worker, partition, value FROM applied ORDER BY id', values: [] })
