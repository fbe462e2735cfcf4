import type { DecisionContext, EventDraft } from '../pipeline/service.js'
import { type Correction, isOtherTotal, toTotals } from './correction.js'
import { type Snapshot, toEvents } from './events.js'
import type { OperatorRequest } from './operator/request.js'
import type { ChargingState } from './state.js'
import { addFlag, type ChargingTransaction } from './transaction.js'

/**
 * Closes the change one message made: derives energy and status, marks what came after the end, has the row written.
 * Ended is final for the state and open for evidence: a changed total is kept and told as a correction, never in silence.
 * @param before taken before the message was merged
 * @param request of an operator; null where the station spoke
 * @returns the events that tell of it
 */
export function conclude(
  state: ChargingState,
  transaction: ChargingTransaction,
  before: Snapshot,
  context: DecisionContext,
  request: OperatorRequest | null = null,
): EventDraft[] {
  const { receivedAt } = context.record
  const wasOver = before.endedAt !== null
  if (wasOver && !request) addFlag(transaction, 'late')
  state.keep(transaction, receivedAt)
  const totals = wasOver || request ? { before: toTotals(before), after: toTotals(transaction) } : null
  const isCorrected = wasOver && totals !== null && (request !== null || isOtherTotal(totals.before, totals.after))
  if (isCorrected) addFlag(transaction, 'corrected')
  if (!request && before.corrected?.measuredEnergyWh !== transaction.corrected?.measuredEnergyWh) {
    addFlag(transaction, 'conflict')
  }
  const correction: Correction | null =
    totals && (request || isCorrected)
      ? {
          id: request?.id ?? context.newId(),
          transactionId: transaction.id,
          stationId: transaction.stationId,
          kind: request?.kind ?? 'evidence',
          status: 'applied',
          refusal: null,
          actor: request?.actor ?? 'station',
          reason: request?.reason ?? 'The station told more after the end.',
          ...totals,
          at: receivedAt,
        }
      : null
  if (correction) state.addCorrection(correction)
  return state.tell(transaction.id, toEvents(before, transaction, correction))
}
