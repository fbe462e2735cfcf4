import type { v16 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { notify } from '../notify.js'
import type { TransfersState } from '../state.js'

/** @see OCPP 1.6 §4.4 */
export const diagnosticsStatusNotification: Decide<
  v16.DiagnosticsStatusNotificationRequest,
  v16.DiagnosticsStatusNotificationResponse,
  TransfersState
> = (request, state, context) => answer({}, notify('diagnostics', request, state, context))
