import type { CommandMessage, Job, OutgoingRecord, Topics } from '@busbar/backbone'
import type { AfterSequence, Decision } from '../pipeline/service.js'
import { type Command, isComplete, payloadOf } from './command.js'
import { followUpOf } from './follow-ups.js'
import { newsRecords } from './news.js'
import { plusSeconds, verdictDueAt } from './states.js'

/** The jobs of a command; each is one row, moved when its time moves. The key of `superseded` names one of its CALLs. */
export const jobKinds = { verdict: 'verdict', followUp: 'follow-up', superseded: 'superseded' } as const

interface Change {
  /** Null for a new command. */
  before: Command | null
  after: Command
  dispatch: number | null
  now: Date
  topics: Topics
  afterSequence?: AfterSequence | undefined
}

/**
 * What leaves when a command changed: the CALL that goes out now, news for those whose books follow it, the verdict once
 * it is given, and a second result when what the station promised has come or is overdue.
 */
export function toEffects(change: Change): Decision {
  const { before, after, dispatch, topics, now } = change
  const completed = isComplete(after) && !(before && isComplete(before))
  const followedUp = isComplete(after) && before !== null && isComplete(before) && before.followUp !== after.followUp
  return {
    dispatches: dispatch === null ? [] : [{ stationId: after.stationId, command: toMessage(change, dispatch) }],
    jobs: toJobs(change, completed),
    ...(completed && {
      events: [{ type: 'command.completed', subject: `command/${after.id}`, data: toEventData(after), time: now }],
      verdicts: [{ commandId: after.id, status: after.status, response: after.response, error: after.error }],
    }),
    records: [
      ...newsRecords(change.before, after, now, topics),
      ...(completed || followedUp ? [toResultRecord(after, topics, now)] : []),
    ],
  }
}

function toMessage({ after, afterSequence }: Change, callIndex: number): Omit<CommandMessage, 'epoch'> {
  return {
    kind: 'command',
    commandId: after.id,
    callIndex,
    expiresAt: after.calls[callIndex]?.expiresAt ?? after.expiresAt.toISOString(),
    action: after.action,
    payload: payloadOf(after, callIndex),
    ...(afterSequence && callIndex === 0 && { afterSequence }),
  }
}

function toJobs({ before, after, dispatch, now }: Change, completed: boolean): { put: Job[]; remove: Job[] } {
  const job = (kind: string, dueAt: Date): Job => toJob(kind, after, dueAt)
  const dueAt = verdictDueAt(after)
  const opened = after.followUp === 'open' && before?.followUp !== 'open'
  const closed = after.followUp !== 'open' && before?.followUp === 'open'
  const rule = followUpOf(after.protocol, after.action)
  return {
    put: [
      ...(dispatch !== null && dueAt ? [job(jobKinds.verdict, dueAt)] : []),
      ...(opened && rule ? [job(jobKinds.followUp, plusSeconds(now, rule.timeoutSeconds))] : []),
    ],
    remove: [
      ...(completed && before !== null ? [job(jobKinds.verdict, now)] : []),
      ...(closed ? [job(jobKinds.followUp, now)] : []),
    ],
  }
}

export function toJob(kind: string, { id, stationId }: Pick<Command, 'id' | 'stationId'>, dueAt: Date): Job {
  return { service: 'commands', kind, key: id, stationId, dueAt }
}

function toEventData({ id, action, status, followUp, requestedBy, idempotencyKey, response, error }: Command): object {
  return { commandId: id, action, status, followUp, requestedBy, idempotencyKey, response, error }
}

/** What `busbar.command-results` says of a command, or of a request that became none. */
export type Result = Pick<
  Command,
  'stationId' | 'action' | 'idempotencyKey' | 'status' | 'response' | 'error' | 'followUp'
> & { commandId: string | null }

export function toResultRecord(command: Command, topics: Topics, now: Date): OutgoingRecord {
  return resultRecord({ ...command, commandId: command.id }, topics, command.completedAt ?? now)
}

/** key: the station; value {commandId, stationId, action, idempotencyKey, status, response, error, followUp, at} */
export function resultRecord(result: Result, topics: Topics, at: Date): OutgoingRecord {
  const { commandId, stationId, action, idempotencyKey, status, response, error, followUp } = result
  const value = { commandId, stationId, action, idempotencyKey, status, response, error, followUp, at }
  return { topic: topics.commandResults, key: stationId, value: JSON.stringify(value), headers: {} }
}
