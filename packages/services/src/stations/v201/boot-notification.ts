import type { v201 } from '@busbar/ocpp'
import type { Decide } from '../../pipeline/service.js'
import { boot, textOrNull } from '../boot.js'
import type { StationsState } from '../state.js'

/**
 * chargingStation is read as if it could be missing: stations with the preset for wrong messages have to boot too.
 * @see OCPP 2.0.1 part 2 B01 to B04, §1.2
 */
export const bootNotification: Decide<v201.BootNotificationRequest, v201.BootNotificationResponse, StationsState> = (
  { reason, chargingStation },
  state,
  context,
) =>
  boot(
    {
      bootReason: textOrNull(reason),
      vendor: textOrNull(chargingStation?.vendorName),
      model: textOrNull(chargingStation?.model),
      serialNumber: textOrNull(chargingStation?.serialNumber),
      chargeBoxSerialNumber: null,
      firmwareVersion: textOrNull(chargingStation?.firmwareVersion),
      iccid: textOrNull(chargingStation?.modem?.iccid),
      imsi: textOrNull(chargingStation?.modem?.imsi),
      meterType: null,
      meterSerialNumber: null,
    },
    state,
    context,
  )
