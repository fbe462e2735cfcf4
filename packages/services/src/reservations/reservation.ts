/** The most that was ever heard of the command, weakest first: a word that says less changes nothing. */
export const answers = ['requested', 'unknown', 'failed', 'rejected', 'accepted'] as const
export type Answer = (typeof answers)[number]

export type ReservationState =
  /** On its way to the station. */
  | 'requested'
  /** The station holds it. */
  | 'active'
  | 'used'
  | 'expired'
  | 'cancelled'
  /** The station gave it up, or holds another one under its id: see `reason`. */
  | 'removed'
  /** The station would not: see `reason`. */
  | 'rejected'
  /** The station has not done it: a CALLERROR, or never sent. */
  | 'failed'
  /** Nobody can say, for now. */
  | 'unknown'

export interface FactDetails {
  transactionId?: string
  reason?: string
}

/** That something happened, and when by our clock: ISO 8601, UTC. */
interface Fact extends FactDetails {
  at: string
}

/** What was heard of a reservation; of each kind the earliest is kept, so that neither order nor repetition counts. */
export interface Evidence {
  /** The station reported the connector Reserved. */
  confirmed?: Fact
  /** A transaction named the reservation. */
  used?: Fact
  /** A transaction that the reservation was for, and which named none. */
  inferred?: Fact
  cancelled?: Fact
  removed?: Fact
  /** The station accepted another reservation under the same id. */
  replaced?: Fact
  expired?: Fact
}

/** A row of reservation. */
export interface Reservation {
  /** The command that asked for it. */
  id: string
  stationId: string
  reservationId: number
  /** connectorId of OCPP 1.6; 0 is any connector of the station. */
  connector: number
  idTag: string
  parentIdTag: string | null
  expiresAt: Date
  answer: Answer
  evidence: Evidence
  requestedBy: string
  requestedAt: Date
  state: ReservationState
  reason: string | null
  transactionId: string | null
  flags: readonly string[]
  endedAt: Date | null
}

/** What a row says of itself, made of `answer`, `reason` of a refusal, and `evidence`. */
export type Standing = Pick<Reservation, 'state' | 'reason' | 'transactionId' | 'flags' | 'endedAt'>

/** Ones that may still become something else by time or by what the station says. */
export const openStates: readonly ReservationState[] = ['requested', 'active', 'unknown']

export function isOpen({ state }: Pick<Reservation, 'state'>): boolean {
  return openStates.includes(state)
}

/**
 * Where a reservation stands. It ends with the earliest of its ends; only a transaction that names it outweighs them all,
 * for the station says itself what it used.
 * @see OCPP 1.6 §5.13
 */
export function toStanding({ answer, evidence, reason }: Reservation): Standing {
  const { used, confirmed } = evidence
  if (used) return ended('used', used)
  if (answer === 'rejected' || answer === 'failed') return { ...open(answer), reason }
  const isHeld = answer === 'accepted' || (answer === 'unknown' && confirmed !== undefined)
  const [end] = endsOf(evidence, isHeld).sort((left, right) => left.endedAt.getTime() - right.endedAt.getTime())
  return end ?? open(isHeld ? 'active' : answer === 'unknown' ? 'unknown' : 'requested')
}

/** What the station never took cannot be used or given up. */
function endsOf({ cancelled, replaced, expired, inferred, removed }: Evidence, isHeld: boolean) {
  return [
    ...(cancelled ? [ended('cancelled', cancelled)] : []),
    ...(replaced ? [ended('removed', { ...replaced, reason: 'Replaced' })] : []),
    ...(inferred && isHeld ? [{ ...ended('used', inferred), flags: ['inferred'] }] : []),
    ...(removed && isHeld ? [ended('removed', removed)] : []),
    ...(expired ? [ended('expired', expired)] : []),
  ]
}

function ended(state: ReservationState, { at, reason, transactionId }: Fact): Standing & { endedAt: Date } {
  const rest = { reason: reason ?? null, transactionId: transactionId ?? null, flags: [] }
  return { state, ...rest, endedAt: new Date(at) }
}

function open(state: ReservationState): Standing {
  return { state, reason: null, transactionId: null, flags: [], endedAt: null }
}

/** @returns the evidence itself where it holds as early a fact of this kind already */
export function addFact(evidence: Evidence, kind: keyof Evidence, at: Date, details: FactDetails = {}): Evidence {
  const known = evidence[kind]
  return known && new Date(known.at) <= at ? evidence : { ...evidence, [kind]: { at: at.toISOString(), ...details } }
}
