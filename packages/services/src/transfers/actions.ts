import type { Actions } from '../pipeline/actions.js'
import type { TransfersState } from './state.js'
import { diagnosticsStatusNotification } from './v16/diagnostics-status-notification.js'
import { firmwareStatusNotification } from './v16/firmware-status-notification.js'
import { logStatusNotification } from './v16/log-status-notification.js'
import { signedFirmwareStatusNotification } from './v16/signed-firmware-status-notification.js'

export const actions: Actions<TransfersState> = {
  'ocpp1.6': {
    DiagnosticsStatusNotification: diagnosticsStatusNotification,
    FirmwareStatusNotification: firmwareStatusNotification,
    LogStatusNotification: logStatusNotification,
    SignedFirmwareStatusNotification: signedFirmwareStatusNotification,
  },
  'ocpp2.0.1': {},
}
