import type { v16 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { toIdTagInfo } from '../authorization.js'
import type { NeedsOf } from '../needs.js'
import type { ChargingState } from '../state.js'
import { idTagCandidates, readIdTag } from './id-tag.js'

/**
 * Tells whether an idTag may charge. How many transactions it runs does not count here, but when one starts.
 * @see OCPP 1.6 §4.1, §7.2
 */
export const authorize: Decide<v16.AuthorizeRequest, v16.AuthorizeResponse, ChargingState> = (
  { idTag },
  state,
  { station, now },
) => {
  const { presented, quirks } = readIdTag(idTag, state.switches(station.id))
  return answer({ idTagInfo: toIdTagInfo(state.authorize(presented, now)) }, { quirks })
}

export const authorizeNeeds: NeedsOf = ({ payload }) => ({ tokens: idTagCandidates(String(payload.idTag)) })
