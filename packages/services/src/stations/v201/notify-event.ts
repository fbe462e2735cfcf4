import type { v201 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { address201, reportStatus, type WireAddress } from '../connector-status.js'
import type { StationsState } from '../state.js'
import { plainStatus } from './plain-status.js'

/**
 * Takes changes of AvailabilityState into the connector model, the same one StatusNotification feeds: a station may
 * use either, or both. Other events are in the journal.
 * @see OCPP 2.0.1 part 2 N07, G01, §1.38
 */
export const notifyEvent: Decide<v201.NotifyEventRequest, v201.NotifyEventResponse, StationsState> = (
  request,
  state,
  context,
) => {
  const events = request.eventData.flatMap((event) => {
    const address = findAddress(event)
    if (!address) return []
    return reportStatus(address, plainStatus(event.actualValue, event.timestamp), state, context)
  })
  return answer({}, { events })
}

/** Device-model names compare case-folded. Null for any other variable, and for a connector without its EVSE. */
function findAddress({ component, variable }: v201.EventDataType): WireAddress | null {
  if (variable.name.toLowerCase() !== 'availabilitystate') return null
  switch (component.name.toLowerCase()) {
    case 'connector':
      // A station with one connector per EVSE may leave its number out.
      return component.evse ? address201(component.evse.id, component.evse.connectorId ?? 1) : null
    case 'evse':
      return component.evse ? address201(component.evse.id, 0) : null
    case 'chargingstation':
      return address201(0, 0)
    default:
      return null
  }
}
