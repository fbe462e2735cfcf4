import { isObject } from '../pipeline/objects.js'
import type { CommandDraft, Decision, InboundRecord } from '../pipeline/service.js'
import type { NeedsOf } from './needs.js'
import type { ChargingState, Step } from './state.js'
import { addFlag, type ChargingTransaction } from './transaction.js'

/**
 * The gateway answered a frame before we did, in the driver's favour. Where the decision was to refuse, the station
 * is told now: by stopping what it was allowed to go on with.
 */
export function settleAnswered(record: InboundRecord, state: ChargingState): Decision {
  const step = state.findStepOfFrame(record.stationId, record.connectionId, sequenceOf(record))
  if (!step) return {}
  const transaction = state.getTransaction(step.transactionId)
  addFlag(step, 'undecided')
  addFlag(transaction, 'undecided')
  const answer = isObject(record.payload.answer) ? record.payload.answer : {}
  const handedOut = typeof answer.transactionId === 'number' ? String(answer.transactionId) : null
  if (handedOut !== null) state.addAlias(transaction, handedOut)
  state.addStep(step)
  state.keep(transaction, record.receivedAt)
  return isRefusedStart(step) && transaction.endedAt === null
    ? { commands: [stop(transaction, handedOut, record)] }
    : {}
}

export const answeredNeeds: NeedsOf = (record) => ({ answeredSequence: sequenceOf(record) })

function sequenceOf({ payload }: InboundRecord): number {
  return Number(payload.sequence)
}

function isRefusedStart({ decided, kind, triggerReason }: Step): boolean {
  const isStop = kind === 'StopTransaction' || kind === 'Ended' || triggerReason === 'StopAuthorized'
  return decided !== null && decided.status !== 'Accepted' && !isStop
}

/** The answer itself leaves when its record is acknowledged: we may be sooner. */
function stop(transaction: ChargingTransaction, handedOut: string | null, record: InboundRecord): CommandDraft {
  const id = handedOut ?? transaction.ocppId ?? ''
  return {
    reaction: 'stop-refused',
    reason: 'the token was refused after the station had been answered',
    afterSequence: { connectionId: record.connectionId, sequence: sequenceOf(record) },
    ...(transaction.protocol === 'ocpp1.6'
      ? { action: 'RemoteStopTransaction', payload: { transactionId: Number(id) } }
      : { action: 'RequestStopTransaction', payload: { transactionId: id } }),
  }
}
