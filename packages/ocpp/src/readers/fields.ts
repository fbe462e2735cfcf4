import { type Decimal, parseDecimal } from '../decimal.js'
import type { Payload } from '../protocol.js'
import { lacksZone, parseTimestamp, type ReadTimestamp } from '../timestamp.js'
import type { Findings } from './findings.js'

/** Reads fields of one object; every tolerance is found. An absent field is null and no finding. */
export class Fields {
  private readonly object: Payload
  private readonly findings: Findings
  private readonly path: string

  constructor(object: Payload, findings: Findings, path = '') {
    this.object = object
    this.findings = findings
    this.path = path
  }

  raw(field: string): unknown {
    return this.object[field]
  }

  /** True when the field came, whatever it holds; null counts as absent. */
  has(field: string): boolean {
    return this.object[field] !== undefined && this.object[field] !== null
  }

  /** A text as sent, or null; a number becomes its text. Surrounding blanks are cut. */
  text(field: string, maxLength = Number.POSITIVE_INFINITY): string | null {
    const value = this.object[field]
    if (value === undefined) return null
    if (typeof value === 'number') {
      this.find('field-type', field)
      return String(value)
    }
    if (typeof value !== 'string') {
      this.find('field-type', field)
      return null
    }
    const text = value.trim()
    if (text.length !== value.length) this.find('text-padded', field)
    if (text.length > maxLength) this.find('text-too-long', field)
    return text
  }

  /** An identifier as text; -1, 0 and numbers beyond 2^53 are ids like any other. */
  id(field: string, wireType: 'integer' | 'text', maxLength?: number): string | null {
    const value = this.object[field]
    if (wireType === 'text') return this.text(field, maxLength) || null
    if (typeof value === 'number' && Number.isInteger(value)) return String(value)
    // An integer too long for a number arrives as its text.
    if (typeof value === 'string' && /^-?\d{16,}$/.test(value)) return value
    if (value !== undefined) this.find('field-type', field)
    if (typeof value === 'number') return String(value)
    return typeof value === 'string' ? value.trim() || null : null
  }

  /** A safe integer; a text of digits and 3.0 are taken for one. */
  integer(field: string): number | null {
    const value = this.object[field]
    if (value === undefined) return null
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value
    this.find('field-type', field)
    const number = typeof value === 'string' && /^\s*[+-]?\d{1,15}(?:\.0*)?\s*$/.test(value) ? Number(value) : value
    return typeof number === 'number' && Number.isFinite(number) ? Math.trunc(number) : null
  }

  number(field: string): number | null {
    const value = this.object[field]
    if (value === undefined) return null
    if (typeof value === 'number' && Number.isFinite(value)) return value
    this.find('field-type', field)
    const decimal = typeof value === 'string' ? parseDecimal(value.trim()) : null
    return decimal === null ? null : Number(decimal)
  }

  /** An exact decimal where the schema has an integer. */
  decimal(field: string): Decimal | null {
    const value = this.object[field]
    if (value === undefined) return null
    if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
    if (!(typeof value === 'string' && /^-?\d{16,}$/.test(value))) this.find('field-type', field)
    if (typeof value === 'number') return parseDecimal(String(value))
    return typeof value === 'string' ? parseDecimal(value.trim()) : null
  }

  boolean(field: string): boolean | null {
    const value = this.object[field]
    if (value === undefined || typeof value === 'boolean') return value ?? null
    this.find('field-type', field)
    if (value === 'true' || value === 1) return true
    return value === 'false' || value === 0 ? false : null
  }

  /** One of `known` when the text is one but for its letter case, else the text as sent. */
  choice(field: string, known: ReadonlyMap<string, string>): string | null {
    const value = this.object[field]
    // As nearly every station spells it.
    if (typeof value === 'string' && known.get(value) === value) return value
    const text = this.text(field)
    if (text === null) return null
    const match = known.get(text.toLowerCase())
    if (match !== text) this.find('field-value', field)
    return match ?? text
  }

  timestamp(field: string, receivedAt: Date): ReadTimestamp {
    const value = this.object[field]
    const timestamp = parseTimestamp(value, receivedAt)
    if (timestamp.guessed) this.find(value === undefined ? 'timestamp-missing' : 'timestamp-unreadable', field)
    else if (lacksZone(value)) this.find('timestamp-without-zone', field)
    return timestamp
  }

  /** The value, or a note that the call is unusable without it; then the reader throws before anybody sees `instead`. */
  needed<T>(field: string, value: T | null, instead: T): T {
    if (value !== null) return value
    this.findings.addMissing(field, this.has(field) ? 'field-type' : 'field-missing', `${this.path}/${field}`)
    return instead
  }

  private find(kind: Parameters<Findings['add']>[0], field: string): void {
    this.findings.add(kind, `${this.path}/${field}`)
  }
}

/** Leads from a name, and from the name in lower case, to the name. */
export function names(known: readonly string[]): ReadonlyMap<string, string> {
  return new Map([
    ...known.map((name) => [name.toLowerCase(), name] as const),
    ...known.map((name) => [name, name] as const),
  ])
}
