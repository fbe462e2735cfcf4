import type { Violation } from '@busbar/ocpp'
import type { Vault } from '@busbar/store'
import { isObject } from '../pipeline/objects.js'
import { nameId } from '../pipeline/outgoing.js'
import type { AfterSequence, Decision, DecisionContext, InboundRecord } from '../pipeline/service.js'
import { type Command, type CommandError, isComplete } from './command.js'
import { resultRecord, toEffects, toResultRecord } from './effects.js'
import { fillIds } from './ids.js'
import { proposePassword } from './password.js'
import { type CommandRequest, hashRequest, prepareCommand, toCommand } from './request.js'
import { splitPayload } from './split.js'
import type { CommandsState } from './state.js'
import { start } from './states.js'

interface ParsedRequest extends CommandRequest {
  commandId: string | null
  reason: string | null
  afterSequence: AfterSequence | undefined
  /** What is wrong with the request itself; its payload is judged later. */
  faults: string[]
}

/**
 * Takes a request off `busbar.commands`. The API has written the row already and the record only names it; for an
 * internal service the row and its audit entry are written here. The same request again does nothing new: when its
 * verdict is given, whoever asks over the log again is told again. A request that is none gets a verdict all the same.
 */
export function takeRequest(
  record: InboundRecord,
  state: CommandsState,
  context: DecisionContext,
  vault: Vault,
): Decision {
  const request = parseRequest(record)
  const { topics, now } = context
  if (record.record.key !== request.stationId) {
    // Its owner is whoever has the station's partition.
    const { value, headers } = record.record
    return { records: [{ topic: topics.commands, key: request.stationId, value, headers }] }
  }

  const known = request.commandId === null ? undefined : state.find(request.commandId)
  if (known?.stationId === request.stationId) return takeUp(known, state, context, vault, request.afterSequence)

  const earlier = state.findByKey(request.requestedBy, request.idempotencyKey)
  if (!earlier && !known) return takeNew(request, state, context, vault)
  if (!earlier || earlier.requestHash !== hashRequest(request, earlier.protocol, vault)) {
    return refuse(request, 'Conflict', `${known ? 'commandId' : 'idempotencyKey'} stands for another command`, context)
  }
  if (isComplete(earlier)) return { records: [toResultRecord(earlier, topics, now)] }
  return takeUp(earlier, state, context, vault, request.afterSequence)
}

/** The ids a payload omits are drawn here, where one writer has the station's counters. */
function takeUp(
  command: Command,
  state: CommandsState,
  { now, topics }: DecisionContext,
  vault: Vault,
  afterSequence?: AfterSequence,
): Decision {
  if (command.status !== 'queued') return {}
  const refusal = refusePasswordChange(command, state, vault)
  if (refusal) {
    const refused: Command = { ...command, status: 'error', error: refusal, completedAt: now }
    state.put(refused)
    return toEffects({ before: command, after: refused, dispatch: null, now, topics })
  }
  const step = start(command, toPayloads(command, state), now)
  state.put(step.command)
  if (step.dispatch !== null) proposeSecret(step.command, step.dispatch, state, vault)
  return toEffects({ before: command, after: step.command, dispatch: step.dispatch, now, topics, afterSequence })
}

function toPayloads({ stationId, protocol, action, payload }: Command, state: CommandsState) {
  if (!protocol) return [payload]
  const counters = state.countersOf(stationId)
  const filled = fillIds(protocol, action, payload, counters)
  return splitPayload(protocol, action, filled, state.limitsOf(stationId, protocol, action), counters)
}

/**
 * A station may have taken the password of a change that is undecided. A third one would push it out of the two slots, and
 * the station out of the door: none is sent until the station has answered or come in. The same one again is no other.
 */
function refusePasswordChange(command: Command, state: CommandsState, vault: Vault): CommandError | null {
  const pending = state.pendingSecret(command.stationId)
  const change = pending !== undefined && proposePassword(command, 0, vault)
  if (!change || change.hash === pending) return null
  const description = 'An earlier change of the password is undecided: send the same again, or set one for good'
  return { code: 'PasswordChangeOpen', description }
}

export function proposeSecret(command: Command, callIndex: number, state: CommandsState, vault: Vault) {
  const change = proposePassword(command, callIndex, vault)
  if (change) state.changeSecret(change)
}

function takeNew(request: ParsedRequest, state: CommandsState, context: DecisionContext, vault: Vault): Decision {
  const prepared = request.faults.length === 0 ? prepare(request, state, context, vault) : null
  if (prepared?.kind !== 'ok') {
    const details = prepared?.violations ?? request.faults.map((message) => ({ message }))
    return keepRefused(
      request,
      { code: 'BadRequest', description: toText(details), details: { faults: details } },
      state,
      context,
      vault,
    )
  }
  const { command } = prepared
  state.add(command, toAudit(request, command, context))
  return takeUp(command, state, context, vault, request.afterSequence)
}

/** A station that has never connected may be asked in any of its versions; nobody will take the CALL. */
function prepare(request: ParsedRequest, state: CommandsState, context: DecisionContext, vault: Vault) {
  const station = state.station(request.stationId)
  const allowed = station?.allowed.length ? station.allowed : (['ocpp2.0.1', 'ocpp1.6'] as const)
  const protocols = station?.protocol ? [station.protocol] : allowed
  const place = {
    id: idOf(request),
    now: context.now,
    askedAt: context.record.record.appendedAt,
  }
  const attempts = protocols.map((protocol) => prepareCommand(request, protocol, vault, place))
  return attempts.find((attempt) => attempt.kind === 'ok') ?? attempts[0] ?? null
}

/** Where a request names none, the same one each time the log brings it: by it is known what was handed out before. */
function idOf({ commandId, requestedBy, idempotencyKey }: ParsedRequest): string {
  return commandId ?? nameId('command', JSON.stringify([requestedBy, idempotencyKey]))
}

/** Kept with its verdict, so that the station's list of commands shows it. */
function keepRefused(
  request: ParsedRequest,
  error: CommandError,
  state: CommandsState,
  context: DecisionContext,
  vault: Vault,
): Decision {
  const { now, topics } = context
  const protocol = state.station(request.stationId)?.protocol ?? null
  const queued = toCommand(request, protocol, vault, { id: idOf(request), now })
  const command: Command = { ...queued, status: 'error', error, completedAt: now }
  state.add(command, toAudit(request, command, context))
  return toEffects({ before: null, after: command, dispatch: null, now, topics })
}

function refuse(request: ParsedRequest, code: string, description: string, { topics, now }: DecisionContext): Decision {
  const { stationId, action, idempotencyKey } = request
  const error = { code, description }
  const result = {
    commandId: null,
    stationId,
    action,
    idempotencyKey,
    error,
    response: null,
    followUp: 'none' as const,
  }
  return { records: [resultRecord({ ...result, status: 'error' }, topics, now)] }
}

function toAudit({ requestedBy, reason }: ParsedRequest, { id, action }: Command, { now }: DecisionContext) {
  return { at: now, actor: requestedBy, details: { commandId: id, action, ...(reason !== null && { reason }) } }
}

const toText = (faults: readonly (Violation | { message: string })[]) => faults.map(({ message }) => message).join('; ')

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Never throws: what is missing gets a stand-in, so that the verdict can be given and kept. */
export function parseRequest({ payload: value, stationId: recordStation, record }: InboundRecord): ParsedRequest {
  const { commandId, stationId, action, payload, idempotencyKey, requestedBy, expiresAt, reason, afterSequence } = value
  const expiry = typeof expiresAt === 'string' ? new Date(expiresAt) : undefined
  const faults = [
    !isText(stationId) && 'stationId has to be a text',
    !isText(action) && 'action has to be a text',
    !isObject(payload) && 'payload has to be an object',
    !isText(idempotencyKey) && 'idempotencyKey has to be a text of at most 255 characters',
    requestedBy !== undefined && !isText(requestedBy) && 'requestedBy has to be a text',
    commandId !== undefined && !isUuid(commandId) && 'commandId has to be a UUID',
    expiresAt !== undefined && !isTime(expiry) && 'expiresAt has to be an ISO 8601 time',
  ].filter((fault) => fault !== false)
  return {
    commandId: isUuid(commandId) ? commandId.toLowerCase() : null,
    stationId: isText(stationId) ? stationId : recordStation,
    action: isText(action) ? action : '',
    payload: isObject(payload) ? payload : {},
    idempotencyKey: isText(idempotencyKey) ? idempotencyKey : `${record.topic}/${record.partition}/${record.offset}`,
    requestedBy: isText(requestedBy) ? requestedBy : 'log',
    reason: isText(reason) ? reason : null,
    afterSequence: parseAfterSequence(afterSequence),
    faults,
    ...(isTime(expiry) && { expiresAt: expiry }),
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '' && value.length <= 255
const isUuid = (value: unknown): value is string => typeof value === 'string' && uuid.test(value)
const isTime = (value: Date | undefined): value is Date => value !== undefined && !Number.isNaN(value.getTime())

function parseAfterSequence(value: unknown): AfterSequence | undefined {
  if (!isObject(value)) return undefined
  const { connectionId, sequence } = value
  return typeof connectionId === 'string' && Number.isSafeInteger(sequence)
    ? { connectionId, sequence: sequence as number }
    : undefined
}
