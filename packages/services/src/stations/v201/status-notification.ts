import type { v201 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { address201, reportStatus } from '../connector-status.js'
import type { StationsState } from '../state.js'
import { plainStatus } from './plain-status.js'

/**
 * Per EVSE and connector; some stations send 0 and 0 for the station itself.
 * @see OCPP 2.0.1 part 2 G01, §1.59
 */
export const statusNotification: Decide<
  v201.StatusNotificationRequest,
  v201.StatusNotificationResponse,
  StationsState
> = (request, state, context) => {
  const address = address201(request.evseId, request.connectorId)
  const reported = plainStatus(request.connectorStatus, request.timestamp)
  return answer({}, { events: reportStatus(address, reported, state, context) })
}
