import { isObject, type MessageType, type Payload, type Protocol } from './protocol.js'
import type { QuirkKind } from './readers/findings.js'
import { findSchemaError, toViolation, type Violation } from './validate.js'
import type { SchemaError } from './validator.js'

export interface Repaired {
  payload: Payload
  quirks: QuirkKind[]
  /** What could not be repaired: then nobody knows what the station meant. */
  violation: Violation | null
}

/** One repair serves all items of a list, so hardly any answer needs more. */
const maxRepairs = 20

/**
 * Reads what a station sent as it was meant: names in another letter case, numbers and truth values as text or the other
 * way round, texts that are too long, null for what is left out, properties nobody knows.
 * @param only the kinds that may be repaired; all of them when not given
 */
export function repairInbound(
  protocol: Protocol,
  action: string,
  type: MessageType,
  sent: unknown,
  only?: readonly QuirkKind[],
): Repaired {
  const quirks = new Set<QuirkKind>()
  if (sent === null) quirks.add('field-type')
  const payload = structuredClone(isObject(sent) ? sent : {})
  // Texts are cut in here only: that they are too long hurts nobody.
  const checked = structuredClone(sent === null ? {} : sent)
  for (let count = 0; ; count++) {
    const error = findSchemaError(protocol, action, type, checked, 'inbound')
    if (!error) return { payload, quirks: [...quirks], violation: null }
    const kind = count < maxRepairs ? repair(error, payload, checked) : null
    if (kind === null || only?.includes(kind) === false) {
      return { payload, quirks: [...quirks], violation: toViolation(error) }
    }
    quirks.add(kind)
  }
}

/** @returns what was repaired in both; null when this cannot be */
function repair(error: SchemaError, payload: Payload, checked: unknown): QuirkKind | null {
  const mend = menderOf(error)
  if (!mend) return null
  const { path, change, kind } = mend
  if (path.length === 0) return null
  let hasChanged = false
  for (const place of placesAt(checked, path)) {
    const value = change(place.holder[place.name])
    if (value === unrepairable) continue
    hasChanged = true
    put(place, value)
  }
  if (hasChanged && kind !== 'text-too-long') {
    for (const place of placesAt(payload, path)) {
      const value = change(place.holder[place.name])
      if (value !== unrepairable) put(place, value)
    }
  }
  return hasChanged ? kind : null
}

const unrepairable = Symbol('unrepairable')
const leftOut = Symbol('left out')

interface Mender {
  path: string[]
  kind: QuirkKind
  change: (value: unknown) => unknown
}

function menderOf({ instancePath, keyword, params }: SchemaError): Mender | null {
  const path = instancePath.split('/').slice(1).map(unescapeSegment)
  switch (keyword) {
    case 'additionalProperties':
      return { path: [...path, String(params.additionalProperty)], kind: 'field-unknown', change: () => leftOut }
    case 'enum':
      return { path, kind: 'field-value', change: (value) => toKnown(value, params.allowedValues) }
    case 'maxLength':
      return { path, kind: 'text-too-long', change: (value) => cut(value, Number(params.limit)) }
    case 'type':
      return { path, kind: 'field-type', change: (value) => toType(value, params.type) }
    default:
      return null
  }
}

const unescapeSegment = (segment: string) => segment.replaceAll('~1', '/').replaceAll('~0', '~')

function toKnown(value: unknown, allowed: unknown): unknown {
  if (typeof value !== 'string' || !Array.isArray(allowed)) return unrepairable
  const folded = value.trim().toLowerCase()
  const known = allowed.find((each) => typeof each === 'string' && each.toLowerCase() === folded)
  return known === undefined || known === value ? unrepairable : known
}

function cut(value: unknown, length: number): unknown {
  return typeof value === 'string' && [...value].length > length ? [...value].slice(0, length).join('') : unrepairable
}

function toType(value: unknown, type: unknown): unknown {
  if (value === null) return leftOut
  if (type === 'string' && (typeof value === 'number' || typeof value === 'boolean')) return String(value)
  if (type === 'boolean' && typeof value === 'string' && /^(?:true|false)$/i.test(value)) return /^true$/i.test(value)
  const isNumber = type === 'integer' || type === 'number'
  if (isNumber && typeof value === 'string' && /^\s*-?\d{1,15}\s*$/.test(value)) return Number(value)
  return unrepairable
}

interface Place {
  holder: Payload
  name: string
}

function put({ holder, name }: Place, value: unknown): void {
  if (value === leftOut) delete holder[name]
  else holder[name] = value
}

/** Where the path leads, in every item of the lists it goes through. */
function placesAt(value: unknown, [name = '', ...rest]: readonly string[]): Place[] {
  if (Array.isArray(value)) {
    return rest.length === 0 ? [] : value.flatMap((item) => placesAt(item, rest))
  }
  if (!isObject(value) || !Object.hasOwn(value, name)) return []
  return rest.length === 0 ? [{ holder: value, name }] : placesAt(value[name], rest)
}
