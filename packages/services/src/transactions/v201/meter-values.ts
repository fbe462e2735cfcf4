import { readMeterValues201, type v201 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { toMeterValue } from '../meter-values.js'
import type { ChargingState } from '../state.js'
import { toInt4 } from '../wire.js'

/**
 * Keeps readings of an EVSE, or of the main meter (0). Those of a transaction come with its events.
 * @see OCPP 2.0.1 J01
 */
export const meterValues: Decide<v201.MeterValuesRequest, v201.MeterValuesResponse, ChargingState> = (
  request,
  state,
  { record: { stationId, receivedAt } },
) => {
  const { evseId, meterValues: readings } = readMeterValues201(request, receivedAt)
  state.addReadings(
    readings.map((each) => toMeterValue(each, receivedAt)),
    { stationId, evseNumber: toInt4(evseId) ?? 0, connectorNumber: 0, transactionId: null, receivedAt },
  )
  return answer({})
}
