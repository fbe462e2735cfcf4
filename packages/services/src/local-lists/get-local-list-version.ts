import type { CommandNews } from '../pipeline/command-news.js'
import { isStorableNumber } from '../pipeline/numbers.js'
import { mayReact } from '../pipeline/reactions.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'
import { applyTo, sendList } from './full-list.js'
import type { LocalList, LocalListsState } from './state.js'

/**
 * What a station says of its list: another version than the one Busbar knows of is another list.
 * @see OCPP 1.6 §5.10: -1 for a station without lists, 0 for an empty one
 */
export function getLocalListVersion(news: CommandNews, state: LocalListsState, context: DecisionContext): Decision {
  const { id } = context.station
  const list = state.list(id)
  // Only the answer to our own question leads on: others may ask whenever they like.
  const isFallback = list.fallback === 'asked' && news.requestedBy === 'stations'
  const step = isFallback && news.stage !== 'requested' ? { fallback: 'done' as const } : {}
  const version = Number(news.response.listVersion)
  if (news.stage !== 'accepted' || !isStorableNumber(version)) return { events: state.change(id, step, context) }

  if (version <= 0) state.replaceEntries(id, [])
  const events = state.change(id, { ...toReported(version, list), ...step }, context)
  if (!isFallback || version < 0) return { events }
  const sent = sendFull(list, state, context)
  return { ...sent, events: [...events, ...(sent.events ?? [])] }
}

function toReported(version: number, { version: before, known, state }: LocalList): Partial<LocalList> {
  if (version < 0) return { version, known: false, state: 'not-supported' }
  // A list that is under way is answered later.
  if (state === 'requested') return { version, known: known && version === before }
  if (version === 0) return { version, known: true, state: null }
  if (version === before) return { state: state === 'unknown' ? 'failed' : known ? state : null }
  return { version, known: false, state: null }
}

/** What the list was to become: the tokens, where they are to be kept in step or nothing else is known of it. */
function sendFull(list: LocalList, state: LocalListsState, context: DecisionContext): Decision {
  const { id } = context.station
  const { entries = [], usableTags = [], refused } = state.rows
  const change = refused?.get(list.refusedId ?? '') ?? []
  const isSynced = mayReact('list-sync', state.station(id)?.switches ?? {})
  const base = list.known ? entries.filter(({ stationId }) => stationId === id) : usableTags
  const items = isSynced ? [...usableTags] : applyTo(base, change)
  return sendList('Full', items, items.length, state, context, {
    reaction: 'list-fallback',
    reason: 'the station refused a differential list',
  })
}
