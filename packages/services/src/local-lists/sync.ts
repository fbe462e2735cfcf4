import { mayReact } from '../pipeline/reactions.js'
import type { Decision, DecisionContext, InboundRecord } from '../pipeline/service.js'
import { sendList } from './full-list.js'
import { canBuildOn, isUnderWay, type LocalListsState } from './state.js'

/**
 * Brings the list of one station into step with the tokens. The API puts one for each station that is to be kept in step
 * when tokens change; several at once find nothing left to do.
 */
export const syncJob = 'local-list-sync'

const retrySeconds = 10
/** Of a station that came back: it boots first and tells of its connectors. */
const settleSeconds = 30
const spreadSeconds = 60

/**
 * Sends what differs, or the whole list where nothing is known of it. A station that is away gets it when it comes back.
 */
export function syncList(key: string, state: LocalListsState, context: DecisionContext): Decision {
  const { station, now } = context
  const job = toJob(station.id, key, now)
  const facts = state.station(station.id)
  const list = state.list(station.id)
  const isMeant =
    facts?.online === true &&
    facts.protocol === 'ocpp1.6' &&
    list.state !== 'not-supported' &&
    mayReact('list-sync', facts.switches)
  if (!facts || !isMeant) return { jobs: { put: [], remove: [job] } }
  // What differs was read before this batch changed it.
  if (facts.registration !== 'Accepted' || isUnderWay(list, now) || state.entryChanges.has(station.id)) {
    return { jobs: { put: [toJob(station.id, key, plusSeconds(now, retrySeconds))], remove: [] } }
  }
  return { ...sendDifference(state, context), jobs: { put: [], remove: [job] } }
}

function sendDifference(state: LocalListsState, context: DecisionContext): Decision {
  const { id } = context.station
  const list = state.list(id)
  const { usableTags = [], changes = [] } = state.rows
  const why = { reaction: 'list-sync' as const, reason: 'tokens have changed' }
  if (!canBuildOn(list)) return sendList('Full', usableTags, usableTags.length, state, context, why)
  const own = changes.filter(({ stationId }) => stationId === id)
  return own.length === 0 ? {} : sendList('Differential', own, usableTags.length, state, context, why)
}

/** One that refused its last full list is not asked again with every connection. */
export function syncWhenConnected(
  _: InboundRecord,
  state: LocalListsState,
  { station, now }: DecisionContext,
): Decision {
  const { state: before, known } = state.list(station.id)
  const isRefused = before === 'not-supported' || (before === 'failed' && !known)
  if (isRefused || !mayReact('list-sync', state.station(station.id)?.switches ?? {})) return {}
  const dueAt = plusSeconds(now, settleSeconds + spreadOf(station.id))
  return { jobs: { put: [toJob(station.id, `${station.id}/connected`, dueAt)], remove: [] } }
}

/** Stations that all come back at once are not all served at once. */
function spreadOf(stationId: string): number {
  return [...stationId].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % spreadSeconds, 0)
}

function toJob(stationId: string, key: string, dueAt: Date) {
  return { service: 'stations' as const, kind: syncJob, key, stationId, dueAt }
}

const plusSeconds = (date: Date, seconds: number) => new Date(date.getTime() + seconds * 1000)
