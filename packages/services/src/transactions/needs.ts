import type { InboundRecord } from '../pipeline/service.js'

/** What the decision about one record has to look up; `load` gathers them into one query per table. */
export interface Needs {
  /** As presented. */
  tokens?: string[]
  /** Natural key of its transaction; some depend on how often the station has booted. */
  naturalKey?: (bootCount: number) => string
  /** OCPP transaction ids, of this station. */
  ocppIds?: string[]
  /** All that the station has open. */
  openTransactions?: boolean
  /** Of its step, in whichever transaction is found. */
  stepKey?: string
  /** An operator's request, and the transaction it is about, by our own id. */
  request?: { id: string; transactionId: string }
  /** Number of the frame an `answered` record speaks of. */
  answeredSequence?: number
}

/** May throw what reading the payload throws; the decision throws it again, to the one it concerns. */
export type NeedsOf = (record: InboundRecord) => Needs
