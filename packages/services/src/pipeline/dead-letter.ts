import { apiSource, type Headers, type LogRecord } from '@busbar/backbone'
import { findAction, mapSecrets, type Payload, type Protocol, redact, redactFrame } from '@busbar/ocpp'
import { dbTransaction, newId, type Sql, sql } from '@busbar/store'
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
      toStorableText(describe(cause, secretsOf(record))).slice(0, maxErrorLength),
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

/** An error may quote what it stumbled over. */
function describe(cause: unknown, secrets: readonly string[]): string {
  const text = cause instanceof Error ? (cause.stack ?? `${cause.name}: ${cause.message}`) : String(cause)
  // What V8 quotes of a text that is no JSON may be a part of a secret.
  const shown =
    cause instanceof SyntaxError ? text.replace(/, \.{0,3}".*"\.{0,3} is not valid JSON/s, ' is not valid JSON') : text
  return secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), shown)
}

/** Too short, and a mask would say where it stands in words that have nothing to do with it. */
const minSecretLength = 4

/** What the bytes are kept without. */
function secretsOf({ headers: { type, action, protocol }, value }: LogRecord): string[] {
  const found: string[] = []
  const collect = (secret: string) => {
    if (secret.length >= minSecretLength) found.push(secret)
    return secret
  }
  const version = (protocol ?? 'ocpp1.6') as Protocol
  const json = parseOrNull(value.toString('utf8'))
  if (type === 'call' && Array.isArray(json) && isObject(json[3])) {
    mapSecrets(version, action ?? '', 'request', json[3], collect)
  } else if (isObject(json) && isObject(json.payload)) {
    const name = String(json.action)
    const versions = type === 'outcome' ? [version] : (['ocpp1.6', 'ocpp2.0.1'] as const)
    const kind = type === 'outcome' ? 'response' : 'request'
    for (const each of versions) mapSecrets(each, name, kind, json.payload, collect)
  }
  return found
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

interface DeadLetterRow {
  id: string
  topic: string
  key: string
  headers: Headers
  value: Buffer
}

/**
 * Sends dead letters to their lanes again, in the order they first came, to be decided by code that has been mended since.
 * Harmless where a record took effect in the meantime: a replay goes through the same keys as the repetition of a station.
 * The records leave through the outbox of the API, in the dbTransaction that marks the letters. Marking decides: of a replay
 * and a discard at the same moment one waits for the other, and finds the letter settled.
 *
 * @param toStatements for the same dbTransaction, given the ids that go: the audit entries
 * @returns the ids that go; of those asked for, not the unknown and the discarded ones
 * @throws UnavailableError
 */
export async function replayDeadLetters(
  { database, backbone }: Pick<Ports, 'database' | 'backbone'>,
  ids: readonly string[],
  toStatements: (ids: readonly string[]) => readonly Sql[] = () => [],
): Promise<string[]> {
  return database.pipelined((session) =>
    dbTransaction(session, async () => {
      const letters = await session.query<DeadLetterRow>(markReplayed(ids))
      if (letters.length === 0) return []
      const going = letters.map(({ id }) => id)
      const rows = letters.map(({ topic, key, value, headers }) => ({ source: apiSource, topic, key, value, headers }))
      const statements = [...backbone.outbox.insert(rows), ...toStatements(going)]
      await Promise.all(statements.map((statement) => session.query(statement)))
      return going
    }),
  )
}

/** Locked in one order, so that two replays of the same letters wait for each other and not in a circle. */
const markReplayed = sql(`
  WITH going AS (
    SELECT id FROM dead_letter WHERE id = ANY($1::uuid[]) AND discarded_at IS NULL ORDER BY id FOR UPDATE
  ), marked AS (
    UPDATE dead_letter d SET replayed_at = now() FROM going WHERE d.id = going.id RETURNING d.*
  )
  SELECT id, topic, station_id AS key, headers, value FROM marked ORDER BY topic, partition, "offset"`)
