import type { CommandNews } from '../pipeline/command-news.js'
import type { Decision, DecisionContext } from '../pipeline/service.js'
import type { SecurityState } from './state.js'

/**
 * The security profile that a station was told to use. It says nothing about the profile that holds: that is the highest
 * one the station has proved itself with, and a refusal leaves all as it was.
 *
 * @see OCPP 1.6 security white paper A05
 */
export function takeProfileChange(
  { commandId, stage, sent }: CommandNews,
  state: SecurityState,
  { station, record }: DecisionContext,
): Decision {
  const profile = toProfile(sent)
  if (profile === null) return {}
  const before = state.changeOf(station.id)
  const { receivedAt } = record
  if (stage === 'requested') {
    const row = { stationId: station.id, profile, commandId, requestedAt: receivedAt, answeredAt: null }
    state.putChange({ ...row, status: stage })
    return {}
  }
  // A newer one was asked for since.
  if (before?.commandId !== commandId) return {}
  state.putChange({ ...before, status: stage, answeredAt: receivedAt })
  const data = { profile, status: stage }
  return { events: [{ type: 'security.profile-change', subject: 'station', data }] }
}

/** @returns null for other keys, and for values that are no profile */
function toProfile({ key, value }: CommandNews['sent']): number | null {
  if (typeof key !== 'string' || key.toLowerCase() !== 'securityprofile') return null
  return typeof value === 'string' && /^[0-3]$/.test(value) ? Number(value) : null
}
