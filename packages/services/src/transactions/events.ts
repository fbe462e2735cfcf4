import type { EventDraft } from '../pipeline/service.js'
import type { Correction } from './correction.js'
import { type ChargingTransaction, toNumber } from './transaction.js'

/** What a subscriber is told of; taken before a message is merged. */
export type Snapshot = Pick<
  ChargingTransaction,
  | 'status'
  | 'startedAt'
  | 'endedAt'
  | 'energyWh'
  | 'heldReasons'
  | 'chargingState'
  | 'evseNumber'
  | 'connectorNumber'
  | 'tokenValue'
  | 'corrected'
> & { flags: readonly string[] }

export function snapshot(transaction: ChargingTransaction): Snapshot {
  return {
    status: transaction.status,
    startedAt: transaction.startedAt,
    endedAt: transaction.endedAt,
    energyWh: transaction.energyWh,
    heldReasons: transaction.heldReasons,
    chargingState: transaction.chargingState,
    evseNumber: transaction.evseNumber,
    connectorNumber: transaction.connectorNumber,
    tokenValue: transaction.tokenValue,
    corrected: transaction.corrected,
    flags: transaction.flags,
  }
}

/**
 * What became known of a transaction, as events: that it started, ended, that its total changed after the end, that
 * it is held; `transaction.updated` for any other change. A message that tells nothing new leads to none.
 * @param correction that the change is, or leads to
 */
export function toEvents(
  before: Snapshot,
  transaction: ChargingTransaction,
  correction: Correction | null = null,
): EventDraft[] {
  const types: ('started' | 'ended' | 'corrected' | 'updated' | 'held')[] = []
  const isCorrected = correction !== null && before.endedAt !== null
  if (before.startedAt === null && transaction.startedAt !== null) types.push('started')
  if (before.endedAt === null && transaction.endedAt !== null) types.push('ended')
  if (isCorrected) types.push('corrected')
  if (types.length === 0 && isDifferent(before, transaction)) types.push('updated')
  if (transaction.heldReasons.some((reason) => !before.heldReasons.includes(reason))) types.push('held')
  if (types.length === 0) return []
  const data = { ...toEventData(transaction), ...(correction && { correction: toCause(correction) }) }
  return types.map((type) => ({
    type: `transaction.${type}` as const,
    subject: transaction.id,
    data: type === 'corrected' ? { ...data, previousEnergyWh: toNumber(before.energyWh) } : data,
  }))
}

/** Who changed it after the end, or ended it in the station's stead, and why. */
function toCause({ id, kind, actor, reason }: Correction): object {
  return { id, kind, actor, reason }
}

function isDifferent(before: Snapshot, after: ChargingTransaction): boolean {
  return (
    before.energyWh !== after.energyWh ||
    before.chargingState !== after.chargingState ||
    before.evseNumber !== after.evseNumber ||
    before.connectorNumber !== after.connectorNumber ||
    before.tokenValue !== after.tokenValue ||
    before.flags.join() !== after.flags.join()
  )
}

function toEventData(transaction: ChargingTransaction): object {
  return {
    transactionId: transaction.id,
    /** As the station knows it. */
    ocppTransactionId: transaction.ocppId,
    stationId: transaction.stationId,
    protocol: transaction.protocol,
    evseNumber: transaction.evseNumber,
    connectorNumber: transaction.connectorNumber,
    token:
      transaction.tokenType === null && transaction.tokenValue === null
        ? null
        : { value: transaction.tokenValue, type: transaction.tokenType, status: transaction.tokenStatus },
    groupId: transaction.groupId,
    stopToken: transaction.stopTokenValue,
    remoteStartId: transaction.remoteStartId,
    reservationId: transaction.reservationId,
    status: transaction.status,
    chargingState: transaction.chargingState,
    startedAt: transaction.startedAt?.toISOString() ?? null,
    endedAt: transaction.endedAt?.toISOString() ?? null,
    stoppedReason: transaction.stoppedReason,
    energyWh: toNumber(transaction.energyWh),
    energySource: transaction.energySource,
    heldReasons: transaction.heldReasons,
    flags: transaction.flags,
  }
}
