import type { Actions } from '../pipeline/actions.js'
import type { StationsState } from './state.js'
import { bootNotification as bootNotification16 } from './v16/boot-notification.js'
import { statusNotification as statusNotification16 } from './v16/status-notification.js'
import { bootNotification } from './v201/boot-notification.js'
import { notifyEvent } from './v201/notify-event.js'
import { notifyReport } from './v201/notify-report.js'
import { statusNotification } from './v201/status-notification.js'

/** What this service decides. Adding an action is one file and one line. */
export const actions: Actions<StationsState> = {
  'ocpp1.6': {
    BootNotification: bootNotification16,
    StatusNotification: statusNotification16,
  },
  'ocpp2.0.1': {
    BootNotification: bootNotification,
    NotifyEvent: notifyEvent,
    NotifyReport: notifyReport,
    StatusNotification: statusNotification,
  },
}
