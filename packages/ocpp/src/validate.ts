import type { RpcErrorCode } from './errors.js'
import * as v16 from './generated/validators-v16.js'
import * as v21 from './generated/validators-v21.js'
import * as v201 from './generated/validators-v201.js'
import type { MessageType, Protocol } from './protocol.js'
import { roundedOf } from './rounded.js'
import { isLenientDateTime, isStrictDateTime } from './timestamp.js'
import type { SchemaError, Validator } from './validator.js'

export interface Violation {
  code: RpcErrorCode
  /** JSON pointer into the payload; '' for the payload itself. */
  path: string
  message: string
}

export type Side = 'inbound' | 'outbound'

const schemas = { 'ocpp1.6': v16, 'ocpp2.0.1': v201, 'ocpp2.1': v21 }

/**
 * Holds a payload against the schema of its version. Inbound dates may be as stations write them, outbound ones must be
 * UTC with Z and at most milliseconds.
 * @returns nothing when valid, else the first thing wrong (all of them would let a hostile payload cost us memory);
 *   NotImplemented when the version has no such message
 * @see OCPP 2.0.1 part 4 §4.3 for the codes
 */
export function validate(
  protocol: Protocol,
  action: string,
  type: MessageType,
  payload: unknown,
  side: Side,
): Violation[] {
  const validator = findValidator(protocol, action, type, side)
  if (!validator) return [{ code: 'NotImplemented', path: '', message: 'The action is not known' }]
  return validator(roundedOf(payload)) ? [] : (validator.errors ?? []).map(toViolation)
}

/** The first thing wrong, as the schema says it; null too for an action nobody knows. */
export function findSchemaError(
  protocol: Protocol,
  action: string,
  type: MessageType,
  payload: unknown,
  side: Side,
): SchemaError | null {
  const validator = findValidator(protocol, action, type, side)
  return !validator || validator(roundedOf(payload)) ? null : (validator.errors?.[0] ?? null)
}

function findValidator(protocol: Protocol, action: string, type: MessageType, side: Side): Validator | undefined {
  const { validators, useDateTime } = schemas[protocol]
  const title = `${action}${type === 'request' ? 'Request' : 'Response'}`
  useDateTime(side === 'inbound' ? isLenientDateTime : isStrictDateTime)
  return Object.hasOwn(validators, title) ? validators[title] : undefined
}

const codes: Record<string, RpcErrorCode> = {
  additionalProperties: 'FormatViolation',
  format: 'FormatViolation',
  required: 'OccurrenceConstraintViolation',
  minItems: 'OccurrenceConstraintViolation',
  maxItems: 'OccurrenceConstraintViolation',
  type: 'TypeConstraintViolation',
}

/** The name of an extra property is the sender's, so as long as they like. */
const maxDetailLength = 100

export function toViolation(error: SchemaError): Violation {
  const { instancePath: path, keyword, params, message = keyword } = error
  // A payload that is no object at all is malformed, not a field of the wrong type.
  const code = path === '' && keyword === 'type' ? 'FormatViolation' : (codes[keyword] ?? 'PropertyConstraintViolation')
  const named = params.additionalProperty ?? params.allowedValues
  const detail = named === undefined ? '' : `: ${String(named).slice(0, maxDetailLength)}`
  return { code, path, message: `${path || 'payload'} ${message}${detail}` }
}
