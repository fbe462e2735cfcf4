import { mergeDecisions } from '../pipeline/parts.js'
import type { Decision, DecisionContext, InboundRecord } from '../pipeline/service.js'
import { behindRequests, isBehindRequests } from './behind-requests.js'
import type { Command, Conclusion } from './command.js'
import { jobKinds, toEffects, toJob } from './effects.js'
import type { CommandsState } from './state.js'
import { callOfRequest, concludeFollowUp, fallDue, giveUp, missFollowUps, plusSeconds, verdictDueAt } from './states.js'

/** A job's time has come. One that came too early, or whose command has moved on, is put where it belongs. */
export function takeDue(record: InboundRecord, state: CommandsState, context: DecisionContext): Decision {
  const { kind, key } = record.payload
  if (typeof kind !== 'string' || typeof key !== 'string') return {}
  const { now } = context
  const done = toJob(kind, { id: key, stationId: record.stationId }, now)
  const [commandId = '', callIndex] = key.split('/')
  const command = state.find(commandId)
  if (!command) return { jobs: { put: [], remove: [done] } }
  if (kind === jobKinds.superseded) {
    const after = isOut(command, Number(callIndex)) ? giveUp(command, now, connectionLost) : command
    return change(command, after, state, context, [done])
  }
  if (kind === jobKinds.followUp) return change(command, missFollowUps(command), state, context, [done])

  // Its request may be about to be read again, and may have been handed out.
  if (command.status === 'queued' && !isBehindRequests(record, context.topics) && now >= command.expiresAt) {
    return behindRequests(record, context.topics)
  }
  const due = fallDue(command, now)
  const dueAt = verdictDueAt(due)
  if (dueAt) return { jobs: { put: [toJob(jobKinds.verdict, due, dueAt)], remove: [] } }
  return change(command, due, state, context, [done])
}

const connectionLost = {
  code: 'ConnectionLost',
  description: 'The station came back on another connection before the old one said what became of the command',
}

/** Whether nothing is known of this CALL, and it is the one the command waits for. */
function isOut({ status, calls }: Command, callIndex: number): boolean {
  return status === 'dispatched' && callIndex === lastOut(calls) && calls[callIndex]?.outcome === null
}

const lastOut = (calls: Command['calls']) => calls.findLastIndex((call) => call.dispatchedAt !== null)

/** A living gateway says within this time what it could not bring to its end on a connection that was taken over. */
const takeoverGraceSeconds = 3

/**
 * The station has a newer connection and nobody logged the end of the older one: its gateway may be dead, and this
 * station is not among those that are told when its lease lapses. CALLs handed out before have a short time left.
 */
export function takeSuperseded(record: InboundRecord, state: CommandsState, { now }: DecisionContext): Decision {
  const dueAt = plusSeconds(now, takeoverGraceSeconds)
  const put = state.ofStation(record.stationId).flatMap((command) => {
    const callIndex = lastOut(command.calls)
    const { dispatchedAt = null } = command.calls[callIndex] ?? {}
    if (!isOut(command, callIndex) || dispatchedAt === null || new Date(dispatchedAt) >= record.receivedAt) return []
    return [toJob(jobKinds.superseded, { id: `${command.id}/${callIndex}`, stationId: command.stationId }, dueAt)]
  })
  return { jobs: { put, remove: [] } }
}

/** A gateway died: nobody will say what became of the CALLs its connections were handed. {connectionId}, header epoch */
export function takeGatewayLost(record: InboundRecord, state: CommandsState, context: DecisionContext): Decision {
  const station = state.station(record.stationId)
  // What was handed out since the station came back is in living hands.
  const backAt = station && station.epoch > record.epoch ? station.connectedAt : null
  const lost = state.ofStation(record.stationId).filter(({ status, calls }) => {
    const dispatchedAt = calls.findLast((call) => call.dispatchedAt !== null)?.dispatchedAt
    return status === 'dispatched' && (!backAt || !dispatchedAt || new Date(dispatchedAt) < backAt)
  })
  const error = { code: 'GatewayLost', description: 'The gateway died before it said what became of the command' }
  return mergeDecisions(lost.map((command) => change(command, giveUp(command, context.now, error), state, context)))
}

/**
 * What a CALL asked for has come, or will not: {type: 'report', requestId, complete}, or, by the command,
 * {type: 'transfer', commandId, followUp}.
 */
export function takeFollowUp(record: InboundRecord, state: CommandsState, context: DecisionContext): Decision {
  const { type, requestId, complete, commandId, followUp } = record.payload
  if (type === 'transfer') {
    const command = state.find(String(commandId))
    if (!command) return behindRequests(record, context.topics)
    if (command.stationId !== record.stationId || !isConclusion(followUp)) return {}
    return change(command, concludeFollowUp(command, 0, followUp), state, context)
  }
  if (typeof requestId !== 'number' || complete !== true) return {}
  // The newest: a counter that started again, or a caller, may have used the number before.
  const command = state
    .ofStation(record.stationId)
    .filter((each) => callOfRequest(each, requestId) !== -1)
    .sort((left, right) => right.createdAt.getTime() - left.createdAt.getTime())[0]
  if (!command) return behindRequests(record, context.topics)
  return change(command, concludeFollowUp(command, callOfRequest(command, requestId), 'complete'), state, context)
}

function isConclusion(value: unknown): value is Conclusion {
  return value === 'complete' || value === 'failed' || value === 'incomplete'
}

function change(
  before: Command,
  after: Command,
  state: CommandsState,
  { now, topics }: DecisionContext,
  done: NonNullable<Decision['jobs']>['remove'] = [],
): Decision {
  state.put(after)
  const effects = toEffects({ before, after, dispatch: null, now, topics })
  const { put = [], remove = [] } = effects.jobs ?? {}
  return { ...effects, jobs: { put, remove: [...remove, ...done] } }
}
