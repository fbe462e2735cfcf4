import type { v16 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { textOrNull } from '../boot.js'
import { address16, reportStatus, timestampQuirks } from '../connector-status.js'
import type { StationsState } from '../state.js'

/**
 * Per connector, and 0 for the station itself. Some stations send no timestamp; then the time of receipt orders it.
 * @see OCPP 1.6 §4.9, §6.47
 */
export const statusNotification: Decide<
  v16.StatusNotificationRequest,
  v16.StatusNotificationResponse,
  StationsState
> = (request, state, context) => {
  const reported = {
    status: request.status,
    errorCode: textOrNull(request.errorCode),
    info: textOrNull(request.info),
    vendorId: textOrNull(request.vendorId),
    vendorErrorCode: textOrNull(request.vendorErrorCode),
    timestamp: request.timestamp,
  }
  const events = reportStatus(address16(request.connectorId), reported, state, context)
  return answer({}, { events, quirks: timestampQuirks(request.timestamp, context.record.receivedAt) })
}
