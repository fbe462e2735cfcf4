import { findAction, type Payload } from '@busbar/ocpp'
import {
  type AnswerVerdict,
  type Call,
  type Command,
  type CommandError,
  type CommandStatus,
  type Conclusion,
  type FollowUp,
  isComplete,
  type OutcomeKind,
  payloadOf,
} from './command.js'
import { followUpOf } from './follow-ups.js'
import { mergeAnswers, splitRuleOf } from './split.js'

const answerTimeoutSeconds = 30
/**
 * When not told otherwise, for the first CALL of a command and for each further one. Longer than an answer is waited for:
 * behind one CALL that the station leaves unanswered it is still sent.
 */
export const defaultExpirySeconds = answerTimeoutSeconds + 15
/** The gateway gives up an answer after its time-out; then its word has this long to arrive. */
const wordGraceSeconds = 5

/** What became of one CALL, the answer already read. */
export interface CallOutcome {
  callIndex: number
  kind: OutcomeKind
  /** Of a result that fits its schema; undefined otherwise. */
  verdict?: AnswerVerdict
  /** Of a result; redacted. */
  response?: Payload
  error?: CommandError
  sentAt?: string
  at: Date
  epoch: number | null
}

/** A new command, and the CALL that is to go out now. */
export interface Step {
  command: Command
  /** Index of a CALL; null for none. It is returned once for each CALL, and never again. */
  dispatch: number | null
}

/**
 * Takes a queued command up: marks its first CALL as handed out, whatever the time. Books that were set back read requests
 * again that have been answered: only who hands out can tell that one was never handed out and has expired.
 */
export function start(command: Command, payloads: readonly Payload[], now: Date): Step {
  if (command.status !== 'queued') return { command, dispatch: null }
  const calls = payloads.map((payload) => toCall(payload === command.payload ? undefined : payload))
  return dispatchCall({ ...command, status: 'dispatched', dispatchedAt: now, calls }, 0, command.expiresAt, now)
}

function toCall(payload: Payload | undefined): Call {
  return { ...(payload && { payload }), dispatchedAt: null, expiresAt: null, outcome: null }
}

function dispatchCall(command: Command, callIndex: number, expiresAt: Date, now: Date): Step {
  const changed = { dispatchedAt: now.toISOString(), expiresAt: expiresAt.toISOString() }
  return { command: withCall(command, callIndex, changed), dispatch: callIndex }
}

/**
 * Takes the word on one CALL in. The first word counts; after it only an answer is new, and where the verdict is given
 * already it is kept beside it. A word on a CALL that was never handed out is nobody's.
 */
export function settle(command: Command, outcome: CallOutcome, now: Date): Step {
  const call = command.calls[outcome.callIndex]
  if (!call || call.dispatchedAt === null) return { command, dispatch: null }
  if (call.outcome !== null || isComplete(command)) return { command: addLate(command, call, outcome), dispatch: null }

  const settled = openFollowUp(
    {
      ...withCall(command, outcome.callIndex, {
        outcome: outcome.kind,
        answeredAt: outcome.at.toISOString(),
        ...(outcome.verdict && { verdict: outcome.verdict }),
        ...(outcome.sentAt !== undefined && { sentAt: outcome.sentAt }),
        ...(outcome.error && { error: outcome.error }),
        ...(outcome.response && command.calls.length > 1 && { response: outcome.response }),
      }),
      epoch: outcome.epoch ?? command.epoch,
    },
    outcome,
  )
  const merged = mergeInto(settled, outcome)
  const next = outcome.callIndex + 1
  if (next < command.calls.length && goesOn(command, outcome)) {
    // By the time of the answer: who reads it again sends nothing that its first reader's time is over for.
    return dispatchCall(merged, next, laterOf(command.expiresAt, plusSeconds(outcome.at, defaultExpirySeconds)), now)
  }
  const dispatchedAt = wasTaken(outcome) ? merged.dispatchedAt : null
  return { command: complete({ ...merged, dispatchedAt }, finalStatus(merged, outcome), now), dispatch: null }
}

/** The word that no gateway took a command's first CALL is our own, and of no connection. */
function wasTaken({ callIndex, kind, epoch }: CallOutcome): boolean {
  return callIndex > 0 || epoch !== null || (kind !== 'expired' && kind !== 'undeliverable')
}

/** An answer that no longer decides: the station has given one after all. Kept once. */
function addLate(command: Command, call: Call, outcome: CallOutcome): Command {
  const answered = call.outcome === 'result' || call.outcome === 'error' || call.late !== undefined
  if (answered || (outcome.kind !== 'result' && outcome.kind !== 'error')) return command
  const late = {
    outcome: outcome.kind,
    answeredAt: outcome.at.toISOString(),
    ...(outcome.verdict && { verdict: outcome.verdict }),
  }
  return openFollowUp(
    {
      ...withCall(command, outcome.callIndex, { late }),
      lateResponse: outcome.response ?? (outcome.error ? { ...outcome.error } : null),
    },
    outcome,
  )
}

function goesOn({ protocol, action }: Command, { kind, verdict }: CallOutcome): boolean {
  if (kind !== 'result' || !verdict || !protocol) return false
  return verdict === 'accepted' || (splitRuleOf(protocol, action)?.goOnAfterRejected ?? false)
}

function mergeInto(command: Command, { kind, response, error }: CallOutcome): Command {
  const answered = { ...command, error: error ?? command.error }
  if (kind !== 'result' || !response || !command.protocol) return answered
  if (command.calls.length === 1) return { ...answered, response }
  const parts = answeredParts(command)
  // An answer that breaks its schema stands in its call alone.
  if (parts.length === 0) return answered
  return { ...answered, response: mergeAnswers(command.protocol, command.action, parts).response }
}

function answeredParts(command: Command) {
  return command.calls.flatMap(({ verdict, response }) => (verdict && response ? [{ verdict, response }] : []))
}

function finalStatus(command: Command, { kind, verdict }: CallOutcome): CommandStatus {
  if (kind !== 'result') return statusOf[kind]
  // The answer breaks its schema: nobody can say what the station meant by it.
  if (!verdict) return 'error'
  if (command.calls.length === 1 || !command.protocol) return verdict
  return mergeAnswers(command.protocol, command.action, answeredParts(command)).verdict
}

const statusOf: Readonly<Record<Exclude<OutcomeKind, 'result'>, CommandStatus>> = {
  error: 'error',
  timeout: 'timeout',
  expired: 'expired',
  unsent: 'undeliverable',
  lost: 'unknown',
  undeliverable: 'undeliverable',
}

/** Nobody will say any more what became of it. */
export function giveUp(command: Command, now: Date, error: CommandError | null = null): Command {
  return command.status === 'dispatched'
    ? { ...complete(command, 'unknown', now), error: error ?? command.error }
    : command
}

/** When the command's fate has to be known; null when it is known. */
export function verdictDueAt(command: Command): Date | null {
  if (command.status === 'queued') return command.expiresAt
  if (command.status !== 'dispatched') return null
  const expiresAt = command.calls.findLast((call) => call.expiresAt !== null)?.expiresAt
  const row = command.protocol ? findAction(command.protocol, command.action) : undefined
  const timeoutSeconds = Math.max(answerTimeoutSeconds, (row?.timeoutMs ?? 0) / 1000)
  return plusSeconds(new Date(expiresAt ?? command.expiresAt), timeoutSeconds + wordGraceSeconds)
}

/** Ends what is over its time: never handed out, `expired`; no word on it, `unknown`. Earlier than that, no change. */
export function fallDue(command: Command, now: Date): Command {
  const dueAt = verdictDueAt(command)
  if (dueAt === null || now < dueAt) return command
  return command.status === 'queued' ? complete(command, 'expired', now) : giveUp(command, now)
}

function complete(command: Command, status: CommandStatus, now: Date): Command {
  return { ...command, status, completedAt: now }
}

/** The station has agreed to tell more. It may have told it all before its answer came through. */
function openFollowUp(command: Command, { callIndex, verdict }: CallOutcome): Command {
  const call = command.calls[callIndex]
  if (verdict !== 'accepted' || !followUpOf(command.protocol, command.action) || !call) return command
  return withFollowUp(withCall(command, callIndex, { followUp: call.followUp ?? 'open' }))
}

/** The index of the CALL that asked under this requestId; -1 for none. */
export function callOfRequest(command: Command, requestId: number): number {
  if (!followUpOf(command.protocol, command.action)) return -1
  return command.calls.findIndex((_, index) => payloadOf(command, index).requestId === requestId)
}

/** What a CALL asked for has come whole, or will not. What came whole is not lost again. */
export function concludeFollowUp(command: Command, callIndex: number, followUp: Conclusion): Command {
  if (command.calls[callIndex]?.followUp === 'complete') return command
  return withFollowUp(withCall(command, callIndex, { followUp }))
}

/** What has not come by now is not expected any more; should it come, it completes the command still. */
export function missFollowUps(command: Command): Command {
  const calls = command.calls.map((call) =>
    call.followUp === 'open' ? { ...call, followUp: 'incomplete' as const } : call,
  )
  return withFollowUp({ ...command, calls })
}

function withFollowUp(command: Command): Command {
  const states = command.calls.flatMap((call) => call.followUp ?? [])
  const followUp: FollowUp =
    (['open', 'failed', 'incomplete', 'complete'] as const).find((state) => states.includes(state)) ?? 'none'
  return { ...command, followUp }
}

function withCall(command: Command, callIndex: number, change: Partial<Call>): Command {
  return {
    ...command,
    calls: command.calls.map((call, index) => (index === callIndex ? { ...call, ...change } : call)),
  }
}

export function plusSeconds(date: Date, seconds: number): Date {
  return new Date(date.getTime() + seconds * 1000)
}

const laterOf = (left: Date, right: Date) => (left > right ? left : right)
