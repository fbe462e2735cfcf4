import type { Payload } from '@busbar/ocpp'
import type { Session } from './ledger.js'
import type { CallHandler } from './station-socket.js'

export interface Message {
  action: string
  payload: Payload
}

export type ConnectorStatus = 'Available' | 'Occupied' | 'Charging' | 'Finishing' | 'Unavailable'

/** What a station lets its dialect do when a command comes. */
export interface Controls {
  readonly id: string
  readonly connectors: number
  /** Settings by name (1.6 key) or `Component.Variable` (2.0.1). */
  readonly settings: Map<string, string>
  startSession(connector: number, token: string, remoteStartId?: number): void
  /** False when no session has this id. */
  stopSession(transactionId: string): boolean
  sessionOn(connector: number): Session | undefined
  sessionBy(transactionId: string): Session | undefined
  reboot(): void
  /** Sends a message after the answer to the command in hand. */
  later(message: Message): void
  boot(): Message
}

/** How one version of OCPP says what a station does. */
export interface Dialect {
  /** Those of a station that nobody has configured. */
  settings: Record<string, string>
  boot(): Message
  status(connector: number, status: ConnectorStatus, at: Date): Message
  authorize(token: string): Message
  /** What the CSMS said of the token in its answer to `authorize` or `begin`; null when it said nothing. */
  tokenStatus(answer: Payload): string | null
  begin(session: Session, at: Date): Message
  meter(session: Session, at: Date, energyWh: number, powerW: number): Message
  end(session: Session, at: Date, reason: string): Message
  /** The id that the CSMS gave in its answer to `begin`; null where the station chooses. */
  givenTransactionId(answer: Payload): string | null
  commands(controls: Controls): Record<string, CallHandler>
}
