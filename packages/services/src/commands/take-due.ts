import type { Decision, DecisionContext, InboundRecord } from '../pipeline/service.js'
import type { Command } from './command.js'
import { jobKinds, toEffects, toJob } from './effects.js'
import type { CommandsState } from './state.js'
import { callOfRequest, completeFollowUp, fallDue, giveUp, missFollowUps, verdictDueAt } from './states.js'

/** A job's time has come. One that came too early, or whose command has moved on, is put where it belongs. */
export function takeDue(record: InboundRecord, state: CommandsState, context: DecisionContext): Decision {
  const { kind, key } = record.payload
  if (typeof kind !== 'string' || typeof key !== 'string') return {}
  const { now } = context
  const done = toJob(kind, { id: key, stationId: record.stationId }, now)
  const command = state.find(key)
  if (!command) return { jobs: { put: [], remove: [done] } }
  if (kind === jobKinds.followUp) return change(command, missFollowUps(command), state, context, [done])

  const due = fallDue(command, now)
  const dueAt = verdictDueAt(due)
  if (dueAt) return { jobs: { put: [toJob(jobKinds.verdict, due, dueAt)], remove: [] } }
  return change(command, due, state, context, [done])
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
  return join(lost.map((command) => change(command, giveUp(command, context.now, error), state, context)))
}

/** The station has sent all that a CALL asked for: {type: 'report', requestId, complete}. */
export function takeFollowUp(record: InboundRecord, state: CommandsState, context: DecisionContext): Decision {
  const { requestId, complete } = record.payload
  if (typeof requestId !== 'number' || complete !== true) return {}
  // The newest: a counter that started again, or a caller, may have used the number before.
  const command = state
    .ofStation(record.stationId)
    .filter((each) => callOfRequest(each, requestId) !== -1)
    .sort((left, right) => right.createdAt.getTime() - left.createdAt.getTime())[0]
  if (!command) return {}
  return change(command, completeFollowUp(command, callOfRequest(command, requestId)), state, context)
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

function join(decisions: readonly Decision[]): Decision {
  return {
    events: decisions.flatMap(({ events = [] }) => events),
    verdicts: decisions.flatMap(({ verdicts = [] }) => verdicts),
    records: decisions.flatMap(({ records = [] }) => records),
    jobs: {
      put: decisions.flatMap(({ jobs }) => jobs?.put ?? []),
      remove: decisions.flatMap(({ jobs }) => jobs?.remove ?? []),
    },
  }
}
