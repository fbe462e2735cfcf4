/**
 * One request to fetch firmware or to send a file, and what became of it.
 *
 * What it amounts to follows from two things that only grow: the station's answer, and the set of statuses it notified. So
 * the order in which they come, and how often, makes no difference.
 * @see OCPP 1.6 §4.4, §4.5, §5.9, §5.19; security white paper L01, N01
 */
export interface Transfer {
  id: string
  stationId: string
  kind: TransferKind
  /** Null for what a station told unasked. */
  commandId: string | null
  /** Null where the messages carry none: they mean the last request. */
  requestId: number | null
  answer: Answer | null
  state: TransferState
  /** A later request took its place. */
  superseded: boolean
  /** In the order of the first time. */
  history: readonly Notified[]
  /** Credentials masked. */
  location: string | null
  fileName: string | null
  requestedAt: Date
  updatedAt: Date
  endedAt: Date | null
}

export type TransferKind = 'firmware' | 'signed-firmware' | 'diagnostics' | 'log'

/** not-started: a CALLERROR, or never sent. nothing-to-send: the station has no file for what was asked. */
export type Answer = 'requested' | 'accepted' | 'rejected' | 'not-started' | 'unknown' | 'nothing-to-send'

export type TransferState = Answer | 'unmatched' | 'running' | 'superseded' | 'failed' | 'succeeded'

/** One status, however often it was said. ISO times: it is stored as JSON. */
export interface Notified {
  status: string
  firstAt: string
  lastAt: string
  count: number
}

const successes: ReadonlySet<string> = new Set(['Installed', 'Uploaded'])

const failures: ReadonlySet<string> = new Set([
  'BadMessage',
  'DownloadFailed',
  'InstallationFailed',
  'InstallVerificationFailed',
  'InvalidSignature',
  'NotSupportedOperation',
  'PermissionDenied',
  'UploadFailed',
  'UploadFailure',
])

/** A station may try again after a failure, so that success has the last word; nothing takes it back. */
function toState({ answer, superseded, history }: Pick<Transfer, 'answer' | 'superseded' | 'history'>): TransferState {
  if (history.some(({ status }) => successes.has(status))) return 'succeeded'
  if (superseded) return 'superseded'
  if (history.some(({ status }) => failures.has(status))) return 'failed'
  // What it does counts for more than what it said it would.
  if (history.length > 0) return 'running'
  return answer ?? 'unmatched'
}

const openStates: readonly TransferState[] = ['requested', 'accepted', 'unknown', 'running', 'unmatched']

export function isOpen({ state }: Pick<Transfer, 'state'>): boolean {
  return openStates.includes(state)
}

/** With what follows from the change. */
export function change(
  transfer: Transfer,
  changed: Partial<Pick<Transfer, 'answer' | 'superseded' | 'history' | 'fileName'>>,
  at: Date,
): Transfer {
  const next = { ...transfer, ...changed }
  const state = toState(next)
  const endedAt = isOpen({ state }) ? null : state === transfer.state ? transfer.endedAt : at
  return { ...next, state, updatedAt: at, endedAt }
}

/** More than any message has. */
const maxStatuses = 20

/**
 * A station repeats itself: each status stands once. Where its wrong messages are tolerated it may say anything: beyond so
 * many only the end is heard.
 */
export function addStatus(history: readonly Notified[], status: string, at: Date, count = 1): Notified[] {
  const time = at.toISOString()
  const known = history.find((each) => each.status === status)
  const isEnd = successes.has(status) || failures.has(status)
  if (!known && !isEnd && history.length >= maxStatuses) return [...history]
  if (!known) return [...history, { status, firstAt: time, lastAt: time, count }]
  const lastAt = time > known.lastAt ? time : known.lastAt
  return history.map((each) => (each === known ? { ...known, lastAt, count: known.count + count } : each))
}
