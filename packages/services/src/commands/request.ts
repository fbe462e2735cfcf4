import { createHash } from 'node:crypto'
import { findAction, mapSecrets, type Payload, type Protocol, type Violation, validate } from '@busbar/ocpp'
import type { Vault } from '@busbar/store'
import { isObject } from '../pipeline/objects.js'
import { toStorable } from '../pipeline/storable.js'
import type { Command } from './command.js'
import { fillIds, placeholders } from './ids.js'
import { defaultExpirySeconds, plusSeconds } from './states.js'

/** What somebody asks for, in clear. */
export interface CommandRequest {
  stationId: string
  action: string
  payload: Payload
  /** Compared instead of the payload when the idempotency key comes again. */
  identity?: Payload
  idempotencyKey: string
  requestedBy: string
  /** Default: 45 s after `askedAt`. */
  expiresAt?: Date
}

export type PreparedCommand = { kind: 'ok'; command: Command } | { kind: 'invalid'; violations: Violation[] }

/**
 * Holds a request against the station's version and makes the command of it: any action the CSMS may send, with any
 * payload that fits the schema. Ids it omits do not count as missing, they are filled in later. Secrets are sealed.
 */
export function prepareCommand(
  request: CommandRequest,
  protocol: Protocol,
  vault: Vault,
  context: { id: string; now: Date; askedAt?: Date },
): PreparedCommand {
  const violations = checkPayload(protocol, request.action, request.payload)
  if (violations.length > 0) return { kind: 'invalid', violations }
  return { kind: 'ok', command: toCommand(request, protocol, vault, context) }
}

/** Nothing when the station's version has this CALL and the payload fits. */
export function checkPayload(protocol: Protocol, action: string, payload: Payload): Violation[] {
  const row = findAction(protocol, action)
  if (!row) return [{ code: 'NotImplemented', path: '', message: `${protocol} has no action of this name` }]
  if (row.sender === 'station')
    return [{ code: 'NotSupported', path: '', message: `${action} is sent by stations only` }]
  const violations = validate(protocol, action, 'request', fillIds(protocol, action, payload, placeholders), 'outbound')
  return violations.length > 0 ? violations : [...checkTexts(payload), ...checkSecrets(protocol, action, payload)]
}

/** What was copied from a place that hides secrets, a dead letter or a payload as it is shown, must not reach a station. */
function checkSecrets(protocol: Protocol, action: string, payload: Payload): Violation[] {
  let isMasked = false
  mapSecrets(protocol, action, 'request', payload, (value) => {
    isMasked ||= value === '***'
    return value
  })
  if (!isMasked) return []
  return [{ code: 'PropertyConstraintViolation', path: '', message: 'a secret of the payload is masked: ***' }]
}

function checkTexts(payload: Payload): Violation[] {
  if (JSON.stringify(toStorable(payload)) === JSON.stringify(payload)) return []
  const message = 'payload holds a NUL character or half a surrogate pair'
  return [{ code: 'PropertyConstraintViolation', path: '', message }]
}

/** A queued command. Of an unknown action nobody knows where its secrets stand: its payload is left out. */
export function toCommand(
  request: CommandRequest,
  protocol: Protocol | null,
  vault: Vault,
  { id, now, askedAt = now }: { id: string; now: Date; askedAt?: Date },
): Command {
  const { stationId, action, payload, idempotencyKey, requestedBy } = request
  const known = protocol !== null && findAction(protocol, action) !== undefined
  return {
    id,
    stationId,
    protocol,
    action,
    payload: known ? mapSecrets(protocol, action, 'request', payload, (value) => vault.seal(value)) : {},
    requestedBy,
    idempotencyKey,
    requestHash: hashRequest(request, protocol, vault),
    status: 'queued',
    followUp: 'none',
    calls: [],
    response: null,
    lateResponse: null,
    error: null,
    epoch: null,
    createdAt: now,
    expiresAt: request.expiresAt ?? plusSeconds(askedAt, defaultExpirySeconds),
    dispatchedAt: null,
    completedAt: null,
  }
}

/** Equal for equal requests. Secrets go in as keyed hashes: a typed-in code could be guessed from a plain one. Where in an operator's own words they stand, nobody knows. */
export function hashRequest(
  { stationId, action, payload, identity }: Pick<CommandRequest, 'stationId' | 'action' | 'payload' | 'identity'>,
  protocol: Protocol | null,
  vault: Vault,
): string {
  if (identity) return vault.hashPassword(sortedJson([stationId, action, identity]))
  const hidden = protocol
    ? mapSecrets(protocol, action, 'request', payload, (value) => vault.hashPassword(value))
    : payload
  return createHash('sha256')
    .update(sortedJson([stationId, action, hidden]))
    .digest('hex')
}

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, each) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([left], [right]) => (left < right ? -1 : 1))) : each,
  )
}
