import { type Payload, type QuirkKind, redact, repairInbound } from '@busbar/ocpp'
import type { Vault } from '@busbar/store'
import { isObject } from '../pipeline/objects.js'
import type { Decision, DecisionContext, InboundRecord } from '../pipeline/service.js'
import { toAnswerVerdict } from './answer-verdict.js'
import { behindRequests } from './behind-requests.js'
import { type Command, type CommandError, isComplete, type OutcomeKind } from './command.js'
import { toEffects } from './effects.js'
import { noteReported } from './ids.js'
import { concludePassword } from './password.js'
import type { CommandsState } from './state.js'
import { type CallOutcome, settle } from './states.js'
import { proposeSecret } from './take-request.js'

const kinds: ReadonlySet<unknown> = new Set<OutcomeKind>([
  'result',
  'error',
  'timeout',
  'expired',
  'unsent',
  'lost',
  'undeliverable',
])

/**
 * Takes in what became of one CALL: {commandId, callIndex, outcome, payload?, error?, sentAt?, at}, from the gateway, or
 * from this service where no gateway took the CALL. Moves the command on, and what the station agreed to becomes true
 * here as well: a late answer's word counts for that like any other.
 */
export function takeOutcome(
  record: InboundRecord,
  state: CommandsState,
  { now, topics }: DecisionContext,
  vault: Vault,
): Decision {
  const { commandId, callIndex } = record.payload
  const before = typeof commandId === 'string' ? state.find(commandId) : undefined
  if (before && before.stationId !== record.stationId) return {}
  if (!before || isAhead(before, callIndex)) return behindRequests(record, topics)
  const { outcome, quirks } = parseOutcome(record, before)
  const step = settle(before, outcome, now)
  if (step.command === before) return {}

  state.put(step.command)
  const { stationId, protocol, action } = before
  if (protocol && outcome.response) noteReported(protocol, action, outcome.response, state.countersOf(stationId))
  const secret = concludePassword(before, outcome, vault)
  if (secret) state.changeSecret(secret)
  if (step.dispatch !== null) proposeSecret(step.command, step.dispatch, state, vault)
  return { ...toEffects({ before, after: step.command, dispatch: step.dispatch, now, topics }), quirks }
}

/** Of a CALL that is still to be handed out, by these books. */
function isAhead(command: Command, callIndex: unknown): boolean {
  return !isComplete(command) && typeof callIndex === 'number' && !command.calls[callIndex]?.dispatchedAt
}

/** @throws Error for a record that our own side would never write */
function parseOutcome(record: InboundRecord, command: Command): { outcome: CallOutcome; quirks: QuirkKind[] } {
  const { callIndex, outcome, error, sentAt, at } = record.payload
  if (!Number.isInteger(callIndex) || !kinds.has(outcome)) throw new Error('a record of type outcome holds none')
  const kind = outcome as OutcomeKind
  const answeredAt = new Date(typeof at === 'string' ? at : Number.NaN)
  const { quirks = [], ...answer } = kind === 'result' ? readAnswer(command, record.payload.payload) : {}
  return {
    outcome: {
      callIndex: callIndex as number,
      kind,
      at: Number.isNaN(answeredAt.getTime()) ? record.receivedAt : answeredAt,
      epoch: record.epoch === 0 ? null : record.epoch,
      ...(typeof sentAt === 'string' && { sentAt }),
      ...(isObject(error) && { error: toError(error) }),
      ...answer,
    },
    quirks,
  }
}

type ReadAnswer = Pick<CallOutcome, 'verdict' | 'response' | 'error'> & { quirks?: QuirkKind[] }

/**
 * Tolerant: what can be read as it was meant counts so.
 * @see OCPP 2.0.1 part 4 §4.1.7: a CALLRESULT that breaks its schema is not answered, its command has failed
 */
function readAnswer({ protocol, action }: Command, payload: unknown): ReadAnswer {
  if (!protocol) {
    const response: Payload = isObject(payload) ? payload : {}
    return { response, verdict: toAnswerVerdict(action, response) }
  }
  const { payload: meant, quirks, violation } = repairInbound(protocol, action, 'response', payload)
  const response = redact(protocol, action, 'response', meant)
  if (!violation) return { response, verdict: toAnswerVerdict(action, meant), quirks }
  const { code, message } = violation
  return { response, error: { code, description: `The answer breaks its schema: ${message}` }, quirks }
}

function toError({ code, description, details }: Payload): CommandError {
  return {
    code: typeof code === 'string' ? code : 'GenericError',
    description: typeof description === 'string' ? description : '',
    ...(isObject(details) && Object.keys(details).length > 0 && { details }),
  }
}
