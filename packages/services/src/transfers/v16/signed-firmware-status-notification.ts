import type { v16 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { notify } from '../notify.js'
import type { TransfersState } from '../state.js'

/** @see OCPP 1.6 security white paper L01 */
export const signedFirmwareStatusNotification: Decide<
  v16.SignedFirmwareStatusNotificationRequest,
  v16.SignedFirmwareStatusNotificationResponse,
  TransfersState
> = (request, state, context) => answer({}, notify('signed-firmware', request, state, context))
