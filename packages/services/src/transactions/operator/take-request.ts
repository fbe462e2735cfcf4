import type { Verdict } from '@busbar/backbone'
import type { Decision, DecisionContext, InboundRecord } from '../../pipeline/service.js'
import { conclude } from '../change.js'
import { type Correction, toTotals } from '../correction.js'
import { snapshot } from '../events.js'
import type { NeedsOf } from '../needs.js'
import type { ChargingState } from '../state.js'
import type { ChargingTransaction } from '../transaction.js'
import { close } from './close.js'
import { correct } from './correct.js'
import type { OperatorRequest } from './request.js'

const rules: Record<
  OperatorRequest['kind'],
  (transaction: ChargingTransaction, request: OperatorRequest, askedAt: Date) => string | null
> = { close, correct }

/**
 * Carries out what an operator decided about a transaction, or says why not. Once: the same request again gets the verdict
 * it had.
 */
export function takeOperatorRequest(record: InboundRecord, state: ChargingState, context: DecisionContext): Decision {
  const request = readRequest(record)
  const known = state.findCorrection(request.id)
  if (known) return { verdicts: [toVerdict(known)] }
  const transaction = state.findById(request.transactionId)
  if (!transaction) return refuse(request, null, 'There is no such transaction.', state, record)
  const before = snapshot(transaction)
  const refusal = rules[request.kind](transaction, request, record.receivedAt)
  if (refusal !== null) return refuse(request, transaction, refusal, state, record)
  const events = conclude(state, transaction, before, context, request)
  const correction = state.findCorrection(request.id)
  return { events, verdicts: correction ? [toVerdict(correction)] : [] }
}

export const operatorRequestNeeds: NeedsOf = (record) => {
  const { id, transactionId } = readRequest(record)
  return { request: { id, transactionId } }
}

function refuse(
  { id, transactionId, kind, actor, reason }: OperatorRequest,
  transaction: ChargingTransaction | null,
  refusal: string,
  state: ChargingState,
  { stationId, receivedAt: at }: InboundRecord,
): Decision {
  const totals = transaction && toTotals(transaction)
  const correction: Correction = {
    ...{ id, transactionId, stationId, kind, actor, reason, at, refusal },
    ...{ status: 'refused', before: totals, after: totals },
  }
  state.addCorrection(correction)
  return { verdicts: [toVerdict(correction)] }
}

function toVerdict({ id, status, refusal }: Correction): Verdict {
  return { commandId: id, status, response: null, error: refusal }
}

// Written by our own intake.
const readRequest = ({ payload }: InboundRecord) => payload as unknown as OperatorRequest
