import { type ActionRow, type Payload, type Protocol, repairInbound, type Violation, validate } from '@busbar/ocpp'

export interface PayloadCheck {
  /** Set when the call has to be answered with a CALLERROR. */
  refusal: Violation | null
  /** How many deviations were let pass. */
  violations: number
  /** Their kinds, each once; labels of `busbar_quirks_total`. */
  quirks: string[]
}

const valid: PayloadCheck = { refusal: null, violations: 0, quirks: [] }

/**
 * Strict where nothing but the message is lost; tolerant where energy is at stake: a billing action is refused only for
 * a field without which there is nothing to bill.
 * @param tolerates the station's own switch: nothing is refused
 */
export function checkPayload(protocol: Protocol, row: ActionRow, payload: Payload, tolerates: boolean): PayloadCheck {
  if (row.billing) {
    const { missing, violations } = row.billing(payload)
    if (missing.length > 0) {
      const first = violations[0]
      const code = first?.code ?? 'OccurrenceConstraintViolation'
      return { ...valid, refusal: { code, path: first?.path ?? '', message: `Missing: ${missing.join(', ')}` } }
    }
    if (violations.length > 0) return tolerated(violations)
  }
  const violations = validate(protocol, row.action, 'request', payload, 'inbound')
  if (violations.length === 0) return valid
  if (row.billing || tolerates) return tolerated(violations)
  if (row.tolerates) {
    const { quirks, violation } = repairInbound(protocol, row.action, 'request', payload, row.tolerates)
    return violation ? { ...valid, refusal: violation } : { refusal: null, violations: quirks.length, quirks }
  }
  return { ...valid, refusal: violations[0] ?? null }
}

function tolerated(violations: readonly Violation[]): PayloadCheck {
  return { refusal: null, violations: violations.length, quirks: [...new Set(violations.map(toQuirk))] }
}

/** The tolerant readers name what they found; the schemas know only codes. */
function toQuirk(violation: Violation & { kind?: string }): string {
  return violation.kind ?? `schema-${violation.code}`
}
