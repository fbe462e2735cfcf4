import type { CommandNews } from '../pipeline/command-news.js'
import { isObject } from '../pipeline/objects.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'
import { bringUpToDate } from './bring-up-to-date.js'
import type { Answer, AskedRow, SmartChargingState } from './state.js'

type TakeNews = (news: CommandNews, state: SmartChargingState, context: DecisionContext) => Decision

/** What the station refuses leaves what it has as it is. @see OCPP 1.6 §5.16 */
export const setChargingProfile: TakeNews = (news, state, context) => {
  const known = state.profiles.find(news.commandId)
  const fresh = { action: news.action, status: 'requested', transactionId: null, settledAt: null } as const
  state.profiles.put({ ...(known ?? fresh), ...merge(known, news, context) })
  return bringUpToDate(state, context)
}

/** The profile counts for the transaction that follows. @see OCPP 1.6 §5.11, §5.16.2 */
export const remoteStartTransaction: TakeNews = (news, state, context) =>
  carriesProfile(news) ? setChargingProfile(news, state, context) : {}

export function carriesProfile({ action, sent }: Pick<CommandNews, 'action' | 'sent'>): boolean {
  return action !== 'RemoteStartTransaction' || isObject(sent.chargingProfile)
}

/** A station that answers Unknown had nothing to clear, and nothing is cleared. @see OCPP 1.6 §5.5 */
export const clearChargingProfile: TakeNews = (news, state, context) => {
  state.clears.put(merge(state.clears.find(news.commandId), news, context))
  return bringUpToDate(state, context)
}

/** @see OCPP 1.6 §5.7 */
export const getCompositeSchedule: TakeNews = ({ commandId, stage, sent, response }, state, { record, station }) => {
  const connector = Number(sent.connectorId)
  const isAnswer = stage === 'accepted' || stage === 'rejected'
  // A raw command may name a connector that no station has.
  if (!isAnswer || !(connector >= 0 && connector <= maxConnector)) return {}
  state.report({ stationId: station.id, connector, commandId, sent, response, answeredAt: record.receivedAt })
  return {}
}

const maxConnector = 65_535

/** A late answer outdoes `unknown`; what was said once is not unsaid. */
const strength: Readonly<Record<Answer, number>> = { requested: 0, unknown: 1, failed: 2, rejected: 3, accepted: 4 }

function merge(
  known: AskedRow | null,
  { commandId, sent, requestedBy, stage }: CommandNews,
  { station, record: { receivedAt } }: DecisionContext,
): AskedRow {
  const isNews = known === null || strength[stage] > strength[known.answer]
  return {
    commandId,
    stationId: station.id,
    sent,
    requestedBy,
    answer: isNews ? stage : known.answer,
    requestedAt: known && known.requestedAt < receivedAt ? known.requestedAt : receivedAt,
    answeredAt: isNews ? (stage === 'requested' ? null : receivedAt) : known.answeredAt,
  }
}
