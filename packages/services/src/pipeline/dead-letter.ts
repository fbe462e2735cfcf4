import { apiSource, type Headers, type LogRecord } from '@busbar/backbone'
import { findAction, type Payload, type Protocol, redact, redactFrame } from '@busbar/ocpp'
import { newId, type Sql, sql } from '@busbar/store'
import { isObject } from './objects.js'
import type { Ports } from './service.js'
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
  const version = (protocol ?? 'ocpp1.6') as Protocol
  switch (type) {
    case 'call':
      if (action === undefined || !findAction(version, action)?.secretPaths.length) return record.value
      return Buffer.from(redactFrame(version, record.value.toString('utf8')))
    case 'outcome':
      return withPayload(record.value, (name, payload) => redact(version, name, 'response', payload))
    // A request on `busbar.commands`: its version is known only together with its station.
    case undefined:
      return withPayload(record.value, (name, payload) =>
        redact('ocpp2.0.1', name, 'request', redact('ocpp1.6', name, 'request', payload)),
      )
    default:
      return record.value
  }
}

/** @param mask for the `payload` of the `action` that a record names; what is no such record is masked as a text */
function withPayload(bytes: Buffer, mask: (action: string, payload: Payload) => Payload): Buffer {
  const text = bytes.toString('utf8')
  try {
    const value = JSON.parse(text) as { action?: unknown; payload?: unknown } | null
    const { action, payload } = value ?? {}
    if (typeof action === 'string' && isObject(payload)) {
      const masked = mask(action, payload)
      return masked === payload ? bytes : Buffer.from(JSON.stringify({ ...value, payload: masked }))
    }
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
  }
  const masked = redactFrame('ocpp1.6', text)
  return masked === text ? bytes : Buffer.from(masked)
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? `${cause.name}: ${cause.message}`) : String(cause)
}

interface DeadLetterRow {
  topic: string
  key: string
  headers: Headers
  value: Buffer
}

/**
 * Sends a dead letter to its lane again, to be decided by code that has been mended since. Harmless when the record took
 * effect in the meantime: a replay goes through the same keys as the repetition of a station. The record leaves through
 * the outbox of the API, in the commit that marks the letter.
 *
 * @param also statements for the same commit: the audit entry
 * @returns false when there is no such dead letter; nothing is committed then
 * @throws UnavailableError
 */
export async function replayDeadLetter(
  { database, backbone }: Pick<Ports, 'database' | 'backbone'>,
  id: string,
  also: readonly Sql[] = [],
): Promise<boolean> {
  const [row] = await database.query<DeadLetterRow>(findLetter(id))
  if (!row) return false
  const { topic, key, value, headers } = row
  const rows = [{ source: apiSource, topic, key, value, headers }]
  await database.commit([...backbone.outbox.insert(rows), markReplayed(id), ...also])
  return true
}

const findLetter = sql('SELECT topic, station_id AS key, headers, value FROM dead_letter WHERE id = $1')
const markReplayed = sql('UPDATE dead_letter SET replayed_at = now() WHERE id = $1')
