import type { Payload, Protocol } from '@busbar/ocpp'

/** What an operator or a service wants of a station: 1..n CALLs and one verdict. One row of table command. */
export interface Command {
  id: string
  stationId: string
  /** The version the payload was checked against; null when none was known. */
  protocol: Protocol | null
  action: string
  /** As asked for, secrets sealed; ids we fill in stand in the calls. */
  payload: Payload
  requestedBy: string
  idempotencyKey: string
  requestHash: string
  status: CommandStatus
  followUp: FollowUp
  calls: readonly Call[]
  /** The station's whole answer, merged over the calls, secrets redacted. */
  response: Payload | null
  /** Came after the verdict; the status stays. */
  lateResponse: Payload | null
  error: CommandError | null
  /** Epoch of the connection that gave the last outcome. */
  epoch: number | null
  createdAt: Date
  /** No first CALL is sent after it. */
  expiresAt: Date
  /** When its first CALL was handed to the station's channel; null again where nobody took it. */
  dispatchedAt: Date | null
  completedAt: Date | null
}

export type CommandStatus =
  | 'queued'
  | 'dispatched'
  | 'accepted'
  | 'rejected'
  | 'error'
  | 'timeout'
  | 'unknown'
  | 'undeliverable'
  | 'expired'

/** Whether what the station promised with its answer has come, where a command promises something. */
export type FollowUp = 'none' | 'open' | 'complete' | 'incomplete' | 'failed'

/** What a follow-up comes to. */
export type Conclusion = Exclude<FollowUp, 'none' | 'open'>

export interface CommandError {
  code: string
  description: string
  details?: Payload
}

/** One CALL of a command. ISO times: it is stored as JSON. */
export interface Call {
  /** What is sent, where it is not the command's own payload: split, or an id filled in. Secrets sealed. */
  payload?: Payload
  /** Null until handed to the station's channel, which happens once. */
  dispatchedAt: string | null
  /** Not sent after it. */
  expiresAt: string | null
  /** The first word on it; null while there is none. */
  outcome: OutcomeKind | null
  /** What the station's answer means. */
  verdict?: AnswerVerdict
  sentAt?: string
  answeredAt?: string
  /** Of a split command, redacted. */
  response?: Payload
  error?: CommandError
  /** The answer that came after another outcome was recorded. */
  late?: { outcome: OutcomeKind; verdict?: AnswerVerdict; answeredAt: string }
  followUp?: Exclude<FollowUp, 'none'>
}

/**
 * result, error: the station's word. timeout: none in time. expired, unsent: never sent. lost: sent, then the socket
 * closed. undeliverable: nobody took it.
 */
export type OutcomeKind = 'result' | 'error' | 'timeout' | 'expired' | 'unsent' | 'lost' | 'undeliverable'

export type AnswerVerdict = 'accepted' | 'rejected'

export function isComplete(command: Pick<Command, 'status'>): boolean {
  return command.status !== 'queued' && command.status !== 'dispatched'
}

/** What is sent as this CALL. */
export function payloadOf(command: Command, callIndex: number): Payload {
  return command.calls[callIndex]?.payload ?? command.payload
}
