import type { Backbone, Headers, LogRecord } from '@busbar/backbone'
import { findAction, type Protocol, redactFrame } from '@busbar/ocpp'
import { type Database, newId, type Sql } from '@busbar/store'
import { toStorable, toStorableText } from './storable.js'

const maxErrorLength = 4_000

/**
 * Keeps a record that no decision or no row could be made of. The bytes stay as they came, except for the secrets of
 * its action: a secret must not survive in a table that operators read, so a replay of such a frame carries '***'.
 */
export function deadLetterStatement(service: string, record: LogRecord, cause: unknown, now: Date): Sql {
  return {
    text: `INSERT INTO dead_letter (id, service, topic, partition, "offset", station_id, headers, value, error, created_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      ON CONFLICT (service, topic, partition, "offset") DO NOTHING`,
    values: [
      newId(),
      service,
      record.topic,
      record.partition,
      record.offset,
      toStorableText(record.headers.station ?? record.key),
      JSON.stringify(toStorable(record.headers)),
      withoutSecrets(record),
      toStorableText(describe(cause)).slice(0, maxErrorLength),
      now,
    ],
  }
}

function withoutSecrets(record: LogRecord): Buffer {
  const { type, action, protocol } = record.headers
  if (type !== 'call' || action === undefined) return record.value
  const version = (protocol ?? 'ocpp1.6') as Protocol
  if (!findAction(version, action)?.secretPaths.length) return record.value
  return Buffer.from(redactFrame(version, record.value.toString('utf8')))
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? `${cause.name}: ${cause.message}`) : String(cause)
}

interface DeadLetterRow {
  topic: string
  station_id: string
  headers: Headers
  value: Buffer
}

/**
 * Appends a dead letter to its lane again, to be decided by code that has been mended since. Harmless when the record
 * took effect in the meantime: a replay goes through the same keys as the repetition of a station.
 *
 * @returns false when there is no such dead letter
 * @throws UnavailableError when log or database are away; then the letter may be replayed again
 */
export async function replayDeadLetter(database: Database, backbone: Backbone, id: string): Promise<boolean> {
  const [row] = await database.query<DeadLetterRow>({
    text: 'SELECT topic, station_id, headers, value FROM dead_letter WHERE id = $1',
    values: [id],
  })
  if (!row) return false
  await backbone.log.append({ topic: row.topic, key: row.station_id, value: row.value, headers: row.headers })
  await database.query({ text: 'UPDATE dead_letter SET replayed_at = now() WHERE id = $1', values: [id] })
  return true
}
