import type { DecisionContext } from '../../pipeline/service.js'
import { orphanKey16 } from '../keys.js'
import type { ChargingState } from '../state.js'
import type { ChargingTransaction } from '../transaction.js'

/** False for -1, 0 and other ids no StartTransaction was ever answered with: stations send them for a start of theirs. */
export function isIssuedId(transactionId: string): boolean {
  return /^0*[1-9]\d*$/.test(transactionId)
}

/** The station's transaction of this id; where there is none, a place to keep what is said of it. */
export function orphanOf(
  ocppId: string,
  state: ChargingState,
  { record, newId }: DecisionContext,
): ChargingTransaction {
  const { stationId, receivedAt } = record
  const known = state.findByOcppId(stationId, ocppId)
  if (known) return known
  const naturalKey = orphanKey16(stationId, ocppId)
  const orphan = state.create({ id: newId(), stationId, protocol: 'ocpp1.6', naturalKey }, receivedAt)
  orphan.ocppId = ocppId
  state.addAlias(orphan, ocppId)
  state.keep(orphan, receivedAt)
  return orphan
}
