import { findAction, type Payload, redact, redactFrame } from '@busbar/ocpp'
import { isObject } from '../pipeline/objects.js'
import type { InboundRecord } from '../pipeline/service.js'

/** A row of journal_frame. */
export interface FrameRow {
  at: Date
  stationId: string
  connectionId: string
  direction: 'in' | 'out'
  sequence: number
  protocol: string
  kind: string
  action: string | null
  messageId: string | null
  frame: Buffer
  note: string | null
}

/** Types whose name says less than the kind of frame they carry; all others are the kind. */
const kinds: Readonly<Record<string, string>> = {
  answered: 'answered-late',
  command: 'call',
  answer: 'result',
}

/** What belongs to no socket: work between services. */
const unheard = new Set([
  'presence',
  'due',
  'follow-up',
  'gateway-lost',
  'password-used',
  'superseded',
  'command-news',
  'operator-request',
  '',
])

/** @returns null for a record that is no frame and no event of a connection */
export function toFrameRow(record: InboundRecord): FrameRow | null {
  const { type, headers, action, messageId } = record
  if (unheard.has(type)) return null
  const outcome = type === 'outcome' ? parseOutcome(record) : null
  return {
    at: record.receivedAt,
    stationId: record.stationId,
    connectionId: record.connectionId,
    direction: headers.direction === 'out' ? 'out' : 'in',
    sequence: record.sequence,
    protocol: headers.protocol ?? '',
    kind: outcome?.kind ?? kinds[type] ?? type,
    action: action || null,
    messageId: messageId || null,
    frame: outcome?.frame ?? (type === 'call' ? withoutSecrets(record) : record.record.value),
    note: outcome?.note ?? headers.note ?? toViolationsNote(headers.violations),
  }
}

/** Most actions have no secrets, and their bytes are kept unread. */
function withoutSecrets({ protocol, action, record }: InboundRecord): Buffer {
  if (!findAction(protocol, action)?.secretPaths.length) return record.value
  return Buffer.from(redactFrame(protocol, record.value.toString('utf8')))
}

interface Outcome {
  kind: string
  frame: Buffer
  note: string
}

/** What became of a CALL of ours: the station's answer, or why there was none. */
function parseOutcome(record: InboundRecord): Outcome {
  const outcome = JSON.parse(record.record.value.toString('utf8')) as Payload
  const action = String(outcome.action ?? record.action)
  const payload = isObject(outcome.payload) ? redact(record.protocol, action, 'response', outcome.payload) : undefined
  const frame = Buffer.from(JSON.stringify({ ...outcome, ...(payload && { payload }) }))
  return { kind: String(outcome.outcome), frame, note: `command ${String(outcome.commandId)}` }
}

function toViolationsNote(violations: string | undefined): string | null {
  return violations === undefined ? null : `tolerated violations: ${violations}`
}
