import { certificateOperations } from './certificates.js'
import { configurationOperations } from './configuration.js'
import { controlOperations } from './control.js'
import { localListOperations } from './local-list.js'
import type { RegisterOperation } from './operation.js'
import { remoteOperations } from './remote.js'
import { reservationOperations } from './reservations.js'
import { securityOperations } from './security.js'
import { smartChargingOperations } from './smart-charging.js'
import { transferOperations } from './transfers.js'
import { triggerOperations } from './trigger.js'

/** Every typed endpoint that sends a command. */
export const operations: readonly RegisterOperation[] = [
  ...controlOperations,
  ...remoteOperations,
  ...configurationOperations,
  ...reservationOperations,
  ...localListOperations,
  ...smartChargingOperations,
  ...transferOperations,
  ...triggerOperations,
  ...certificateOperations,
  ...securityOperations,
]
