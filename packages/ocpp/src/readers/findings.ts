import { OcppError, type RpcErrorCode } from '../errors.js'
import type { Violation } from '../validate.js'

/** Labels of the metric `busbar_quirks_total{kind}`. */
export type QuirkKind =
  | 'field-missing'
  | 'field-type'
  | 'field-value'
  | 'field-unknown'
  | 'text-too-long'
  | 'text-padded'
  | 'text-empty'
  | 'timestamp-missing'
  | 'timestamp-unreadable'
  | 'timestamp-without-zone'
  | 'samples-empty'
  | 'value-type'
  | 'value-empty'
  | 'value-unreadable'
  | 'unit-spelling'
  | 'unit-unknown'
  | 'unit-mismatch'

/** Something wrong that was tolerated. The path is a JSON pointer with `*` for any index. */
export interface Quirk extends Violation {
  kind: QuirkKind
}

const codes: Record<QuirkKind, RpcErrorCode> = {
  'field-missing': 'OccurrenceConstraintViolation',
  'field-type': 'TypeConstraintViolation',
  'field-value': 'PropertyConstraintViolation',
  'field-unknown': 'FormatViolation',
  'text-too-long': 'PropertyConstraintViolation',
  'text-padded': 'PropertyConstraintViolation',
  'text-empty': 'PropertyConstraintViolation',
  'timestamp-missing': 'OccurrenceConstraintViolation',
  'timestamp-unreadable': 'FormatViolation',
  'timestamp-without-zone': 'FormatViolation',
  'samples-empty': 'OccurrenceConstraintViolation',
  'value-type': 'TypeConstraintViolation',
  'value-empty': 'PropertyConstraintViolation',
  'value-unreadable': 'PropertyConstraintViolation',
  'unit-spelling': 'PropertyConstraintViolation',
  'unit-unknown': 'PropertyConstraintViolation',
  'unit-mismatch': 'PropertyConstraintViolation',
}

/** A payload of a million bad samples shall not become a million objects. */
const maxQuirks = 100

/** A billing action lacks what no reading can do without. */
export class MissingFieldsError extends OcppError {
  readonly missing: string[]
  readonly violations: Quirk[]

  constructor(missing: string[], violations: Quirk[]) {
    super(violations[0]?.code ?? 'OccurrenceConstraintViolation', `${missing.join(', ')} missing or unreadable`)
    this.missing = missing
    this.violations = violations
  }
}

/** Gathers what a reader found wrong. */
export class Findings {
  readonly quirks: Quirk[] = []
  readonly #missing: string[] = []

  add(kind: QuirkKind, path: string): void {
    if (this.quirks.length < maxQuirks) this.quirks.push({ kind, code: codes[kind], path, message: `${path}: ${kind}` })
  }

  /** @param kind why it counts as missing: absent, or present and unreadable */
  addMissing(field: string, kind: QuirkKind, path: string): void {
    this.#missing.push(field)
    this.quirks.unshift({ kind, code: codes[kind], path, message: `${path}: ${kind}` })
  }

  /** @throws MissingFieldsError */
  throwIfMissing(): void {
    if (this.#missing.length > 0) throw new MissingFieldsError(this.#missing, this.quirks)
  }
}

/** What a reading says about the payload it came from, for the actions table. */
export function billingCheck(
  read: (payload: unknown, receivedAt: Date) => { violations: Quirk[] },
): (payload: unknown) => { missing: string[]; violations: Quirk[] } {
  return (payload) => {
    try {
      return { missing: [], violations: read(payload, new Date(0)).violations }
    } catch (cause) {
      if (cause instanceof MissingFieldsError) return { missing: cause.missing, violations: cause.violations }
      throw cause
    }
  }
}
