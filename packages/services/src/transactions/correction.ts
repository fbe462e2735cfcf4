import { type ChargingTransaction, toNumber } from './transaction.js'

/** The row of transaction_correction: totals that changed once a transaction was over, or a request that was refused. */
export interface Correction {
  /** The operator's request; drawn for what the station itself told late. */
  id: string
  transactionId: string
  stationId: string
  /** `evidence`: the station told more after the end. */
  kind: 'close' | 'correct' | 'evidence'
  status: 'applied' | 'refused'
  /** Why it was refused. */
  refusal: string | null
  actor: string
  reason: string
  /** null where there is no such transaction. */
  before: Totals | null
  after: Totals | null
  at: Date
}

/** What is billed. */
export interface Totals {
  status: ChargingTransaction['status']
  /** ISO 8601 in UTC. */
  startedAt: string | null
  endedAt: string | null
  energyWh: number | null
  heldReasons: string[]
}

export function toTotals(
  transaction: Pick<ChargingTransaction, 'status' | 'startedAt' | 'endedAt' | 'energyWh' | 'heldReasons'>,
): Totals {
  const { status, startedAt, endedAt, energyWh, heldReasons } = transaction
  return {
    status,
    startedAt: startedAt?.toISOString() ?? null,
    endedAt: endedAt?.toISOString() ?? null,
    energyWh: toNumber(energyWh),
    heldReasons,
  }
}

/** Whether a bill would be another one. A start that was not known before makes it the first one. */
export function isOtherTotal(before: Totals, after: Totals): boolean {
  const isOtherStart = before.startedAt !== null && before.startedAt !== after.startedAt
  return isOtherStart || before.energyWh !== after.energyWh || before.endedAt !== after.endedAt
}
