import { type ListItem, toAuthorizationData } from '@busbar/store'
import type { Reaction } from '../pipeline/reactions.js'
import type { CommandDraft, Decision, DecisionContext } from '../pipeline/service.js'
import type { Change, LocalListsState } from './state.js'

/**
 * Has a list of entries sent, unless the station cannot hold that many. It counts as under way from now on, so that who
 * runs twice sends once.
 */
export function sendList(
  updateType: 'Full' | 'Differential',
  items: readonly ListItem[],
  length: number,
  state: LocalListsState,
  context: DecisionContext,
  { reaction, reason }: { reaction: Reaction; reason: string },
): Decision {
  const { id } = context.station
  const limit = state.rows.maxLengths?.get(id)
  if (limit !== undefined && length > limit) {
    const data = { reason: 'LocalAuthListMaxLength', limit, length }
    return { events: [{ type: 'local-list.too-long', subject: 'local-list', data }] }
  }
  const command: CommandDraft = {
    reaction,
    action: 'SendLocalList',
    payload: { updateType, localAuthorizationList: items.map(toAuthorizationData) },
    reason,
    afterSequence: null,
  }
  return { commands: [command], events: state.change(id, { state: 'requested' }, context) }
}

/** These entries with changes applied: null takes one off. */
export function applyTo(entries: readonly ListItem[], changes: readonly Change[]): ListItem[] {
  const rows = new Map(entries.map((entry) => [entry.idTag.toLowerCase(), entry]))
  for (const { foldedTag, entry } of changes) {
    if (entry) rows.set(foldedTag, entry)
    else rows.delete(foldedTag)
  }
  return [...rows.values()]
}
