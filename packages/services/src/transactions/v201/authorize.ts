import type { v201 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { toIdTokenInfo } from '../authorization.js'
import type { NeedsOf } from '../needs.js'
import type { ChargingState } from '../state.js'

/**
 * Tells whether a token may charge. A contract certificate or its hashes that come along are not checked yet, so a
 * contract that rests on them is refused: the token alone proves nothing where the driver shows no card.
 * @see OCPP 2.0.1 C01, C02, C04, C07, C16
 */
export const authorize: Decide<v201.AuthorizeRequest, v201.AuthorizeResponse, ChargingState> = (
  { idToken, certificate, iso15118CertificateHashData },
  state,
  { now },
) => {
  const idTokenInfo = toIdTokenInfo(state.authorize({ value: idToken.idToken, type: idToken.type }, now))
  if (certificate === undefined && iso15118CertificateHashData === undefined) return answer({ idTokenInfo })
  const status = idTokenInfo.status === 'Accepted' ? 'Invalid' : idTokenInfo.status
  return answer({ idTokenInfo: { ...idTokenInfo, status }, certificateStatus: 'NoCertificateAvailable' })
}

export const authorizeNeeds: NeedsOf = ({ payload }) => {
  const { idToken } = payload as unknown as v201.AuthorizeRequest
  return { tokens: [idToken.idToken] }
}
