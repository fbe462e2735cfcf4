import type { Protocol } from './protocol.js'

/** The error codes of OCPP 2.0.1 part 4 §4.3; Busbar uses these inside, whatever the version of the station. */
export type RpcErrorCode =
  | 'FormatViolation'
  | 'GenericError'
  | 'InternalError'
  | 'MessageTypeNotSupported'
  | 'NotImplemented'
  | 'NotSupported'
  | 'OccurrenceConstraintViolation'
  | 'PropertyConstraintViolation'
  | 'ProtocolError'
  | 'RpcFrameworkError'
  | 'SecurityError'
  | 'TypeConstraintViolation'

/** The message is wrong and will stay wrong; the station gets this as a CALLERROR. */
export class OcppError extends Error {
  override readonly name = 'OcppError'
  /** The 1.6 spelling is applied when the frame is written. */
  readonly code: RpcErrorCode
  /** Of the CALL to answer; '-1' when it could not be read (part 4 §4.2.3), '' when the thrower does not know it. */
  readonly messageId: string

  constructor(code: RpcErrorCode, message: string, options: ErrorOptions & { messageId?: string } = {}) {
    super(message, options)
    this.code = code
    this.messageId = options.messageId ?? ''
  }
}

/**
 * Where 1.6 spells a code differently, or has none. The missing r of Occurence is in the schema and stays
 * (OCPP-J 1.6 errata §5.1, §5.2).
 */
const spelling16: Partial<Record<RpcErrorCode, string>> = {
  FormatViolation: 'FormationViolation',
  OccurrenceConstraintViolation: 'OccurenceConstraintViolation',
  RpcFrameworkError: 'FormationViolation',
  MessageTypeNotSupported: 'GenericError',
}

/** The code as the version writes it. */
export function toWireCode(code: RpcErrorCode, protocol: Protocol): string {
  return (protocol === 'ocpp1.6' && spelling16[code]) || code
}

const otherSpellings = new Map([
  ['FormationViolation', 'FormatViolation'],
  ['OccurenceConstraintViolation', 'OccurrenceConstraintViolation'],
  ['RPCFrameworkError', 'RpcFrameworkError'],
])

/** A code a station sent, in the spelling of 2.0.1; codes nobody defined pass as they are. */
export function normalizeCode(code: string): string {
  return otherSpellings.get(code) ?? code
}
