import type { Payload, Registration, ServiceName } from '../protocol.js'
import type { QuirkKind } from '../readers/findings.js'
import type { Violation } from '../validate.js'

/**
 * When an inbound call is answered: by the gateway alone, once the log holds it, or after a service decided and
 * committed.
 */
export type AnswerKind = 'local' | 'log' | 'decision'

/** What the gateway knows of a station that changes how its calls are answered. */
export interface StationFlags {
  /** A tariff applies, so that answers to its meter readings carry the running cost. */
  tariff: boolean
}

export interface SafeAnswerContext {
  now: Date
  /** As read at the upgrade. */
  registration: Registration
  heartbeatIntervalSeconds: number
  /** Allocated by the gateway; with a 1.6 StartTransaction only. */
  transactionId?: number
}

/** One action of one version. The only place that says how it is treated. */
export interface ActionRow {
  action: string
  sender: 'station' | 'csms' | 'both'
  /** Where the gateway logs an inbound call; 'commands' for what only the CSMS sends. */
  lane: ServiceName
  /** Of an inbound call; nobody asks it of a row only the CSMS sends. */
  answer: AnswerKind | ((payload: Payload, flags: StationFlags) => AnswerKind)
  /** The answer given locally or on log; {} when absent. */
  logAnswer?: (payload: Payload, context: { now: Date }) => Payload
  /** What may be answered when no decision came in time, because it costs the driver nothing. */
  safeAnswer?: (payload: Payload, context: SafeAnswerContext) => Payload
  /**
   * Reads a billing action tolerantly. `missing`: the fields without which the call is refused; `violations`: all that
   * was found wrong, the reasons for `missing` first. Tolerated too is what only the schema finds, like an extra property.
   */
  billing?: (payload: unknown) => { missing: string[]; violations: Violation[] }
  /** What is let pass in an inbound call that is no billing action, because refusing it would cost the station itself. */
  tolerates?: readonly QuirkKind[]
  /** Where secrets stand; grammar in secrets.ts. */
  secretPaths: readonly string[]
  /** Of a call the CSMS sends: the services whose books follow what became of it. */
  bookkeepers: readonly ServiceName[]
  /** For the answer to a call of ours, where the default of the gateway is too short. */
  timeoutMs?: number
}

type StationRow = Omit<ActionRow, 'action' | 'sender' | 'secretPaths' | 'bookkeepers'> &
  Partial<Pick<ActionRow, 'secretPaths'>>
type CsmsRow = Partial<Pick<ActionRow, 'secretPaths' | 'bookkeepers' | 'timeoutMs'>>

export function fromStation(action: string, row: StationRow): ActionRow {
  return { action, sender: 'station', secretPaths: [], bookkeepers: [], ...row }
}

export function fromCsms(action: string, row: CsmsRow = {}): ActionRow {
  return { action, sender: 'csms', lane: 'commands', answer: 'decision', secretPaths: [], bookkeepers: [], ...row }
}

export function fromBoth(action: string, row: StationRow): ActionRow {
  return { ...fromStation(action, row), sender: 'both' }
}

/** For what a station does before it answers: move a lock, write a long list to flash. */
export const slowTimeoutMs = 60_000
