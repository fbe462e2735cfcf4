import type { EventDraft } from '../pipeline/service.js'
import { type Snapshot, toEvents } from './events.js'
import type { ChargingState } from './state.js'
import { addFlag, type ChargingTransaction } from './transaction.js'

/**
 * Closes the change one message made: derives energy and status, marks what came after the end, has the row written.
 * @param before taken before the message was merged
 * @returns the events that tell of it
 */
export function conclude(
  state: ChargingState,
  transaction: ChargingTransaction,
  before: Snapshot,
  receivedAt: Date,
): EventDraft[] {
  if (before.endedAt !== null) addFlag(transaction, 'late')
  state.keep(transaction, receivedAt)
  // Ended is final for the state and open for evidence: a changed total is told as a correction, never in silence.
  if (before.endedAt !== null && before.energyWh !== transaction.energyWh) addFlag(transaction, 'corrected')
  return toEvents(before, transaction)
}
