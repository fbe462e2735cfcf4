import type { v16 } from '@busbar/ocpp'
import type { Decide } from '../../pipeline/service.js'
import { boot, textOrNull } from '../boot.js'
import type { StationsState } from '../state.js'

/** @see OCPP 1.6 §4.2, §6.3 */
export const bootNotification: Decide<v16.BootNotificationRequest, v16.BootNotificationResponse, StationsState> = (
  request,
  state,
  context,
) =>
  boot(
    {
      bootReason: null,
      vendor: textOrNull(request.chargePointVendor),
      model: textOrNull(request.chargePointModel),
      // Some stations fill only the deprecated twin.
      serialNumber: textOrNull(request.chargePointSerialNumber) ?? textOrNull(request.chargeBoxSerialNumber),
      chargeBoxSerialNumber: textOrNull(request.chargeBoxSerialNumber),
      firmwareVersion: textOrNull(request.firmwareVersion),
      iccid: textOrNull(request.iccid),
      imsi: textOrNull(request.imsi),
      meterType: textOrNull(request.meterType),
      meterSerialNumber: textOrNull(request.meterSerialNumber),
    },
    state,
    context,
  )
