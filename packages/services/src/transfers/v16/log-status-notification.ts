import type { v16 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { notify } from '../notify.js'
import type { TransfersState } from '../state.js'

/** @see OCPP 1.6 security white paper N01 */
export const logStatusNotification: Decide<
  v16.LogStatusNotificationRequest,
  v16.LogStatusNotificationResponse,
  TransfersState
> = (request, state, context) => answer({}, notify('log', request, state, context))
