import type { Payload } from '@busbar/ocpp'

/** What one station did and what it was told: a test holds it against the database. */
export class Ledger {
  readonly calls: LedgerCall[] = []
  readonly sessions: Session[] = []
  readonly commands: LedgerCommand[] = []

  /** Calls that got a CALLRESULT: these the CSMS has taken over. */
  get acknowledged(): LedgerCall[] {
    return this.calls.filter(({ outcome }) => outcome === 'result')
  }

  /** Transaction messages that the station gave up after its last attempt. */
  get discarded(): LedgerCall[] {
    return this.calls.filter(({ outcome }) => outcome === 'discarded')
  }
}

export interface LedgerCall {
  at: Date
  action: string
  payload: Payload
  outcome: 'result' | 'error' | 'no-answer' | 'discarded'
  answer: Payload | null
  /** How often it went out before this outcome. */
  attempts: number
  /** Of the last attempt: each has its own. */
  messageId: string
}

export interface LedgerCommand {
  at: Date
  messageId: string
  action: string
  payload: Payload
}

export interface Session {
  connector: number
  token: string
  /** The id in use on the wire: given by the CSMS in 1.6, by the station in 2.0.1. */
  transactionId: string | null
  startedAt: Date
  endedAt: Date | null
  meterStartWh: number
  meterStopWh: number | null
  /** What the CSMS said of the token. */
  tokenStatus: string | null
}
