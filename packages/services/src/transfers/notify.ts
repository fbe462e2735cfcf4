import { isStorableNumber } from '../pipeline/numbers.js'
import { mergeDecisions } from '../pipeline/parts.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'
import { toEffects } from './effects.js'
import type { TransfersState } from './state.js'
import { addStatus, change, type Notified, type Transfer, type TransferKind } from './transfer.js'

/** Of one station: one that makes up request ids must not fill the table. */
const maxUnmatched = 20

/**
 * Takes in what a station says of a transfer. What belongs to no request of ours is kept as `unmatched`. Idle only informs.
 * @param requestId as sent; absent in the messages of plain 1.6
 */
export function notify(
  kind: TransferKind,
  { status, requestId }: { status: string; requestId?: number },
  state: TransfersState,
  context: DecisionContext,
): Decision {
  // A number that no request of ours can have names none.
  if (status === 'Idle' || (requestId !== undefined && !isStorableNumber(requestId))) return {}
  const { receivedAt } = context.record
  return add(kind, requestId ?? null, (history) => addStatus(history, status, receivedAt), state, context)
}

/** What was put down to a request that the station turned down was about the one before it. */
export function handBack(turnedDown: Transfer, state: TransfersState, context: DecisionContext): Decision {
  const { kind, requestId, history } = turnedDown
  if (requestId !== null || history.length === 0) return {}
  state.put(change(turnedDown, { history: [] }, context.record.receivedAt))
  const merge = (into: readonly Notified[]) =>
    history.reduce((merged, { status, lastAt, count }) => addStatus(merged, status, new Date(lastAt), count), into)
  return mergeDecisions([add(kind, null, merge, state, context)])
}

function add(
  kind: TransferKind,
  requestId: number | null,
  into: (history: readonly Notified[]) => readonly Notified[],
  state: TransfersState,
  context: DecisionContext,
): Decision {
  const { station, record } = context
  const known =
    state.findRequest(station.id, kind, requestId) ?? state.findUnmatched(station.id, kind, requestId) ?? null
  if (!known && state.of(station.id).filter(({ commandId }) => commandId === null).length >= maxUnmatched) return {}
  const before = known ?? blank(kind, requestId, context)
  const after = change(before, { history: into(before.history) }, record.receivedAt)
  state.put(after)
  return toEffects(known, after, context)
}

/** Before anything is known of it. */
export function blank(
  kind: TransferKind,
  requestId: number | null,
  { newId, station, record }: DecisionContext,
): Transfer {
  return {
    id: newId(),
    stationId: station.id,
    kind,
    commandId: null,
    requestId,
    answer: null,
    state: 'unmatched',
    superseded: false,
    history: [],
    location: null,
    fileName: null,
    requestedAt: record.receivedAt,
    updatedAt: record.receivedAt,
    endedAt: null,
  }
}
