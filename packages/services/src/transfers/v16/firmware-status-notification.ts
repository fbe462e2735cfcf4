import type { v16 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { notify } from '../notify.js'
import type { TransfersState } from '../state.js'

/** @see OCPP 1.6 §4.5 */
export const firmwareStatusNotification: Decide<
  v16.FirmwareStatusNotificationRequest,
  v16.FirmwareStatusNotificationResponse,
  TransfersState
> = (request, state, context) => answer({}, notify('firmware', request, state, context))
