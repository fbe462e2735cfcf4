import type { v16, v201 } from '@busbar/ocpp'
import type { Part } from '../../pipeline/parts.js'
import { answer, type Decide, type Decision } from '../../pipeline/service.js'
import { answerVendor, type VendorHandlers, type VendorMessage } from './handlers.js'

type DataTransfer16 = Decide<v16.DataTransferRequest, v16.DataTransferResponse, null>
type DataTransfer201 = Decide<v201.DataTransferRequest, v201.DataTransferResponse, null>

/**
 * Answers what vendors send beside the standard by the handlers it is given, and tells every message as the event
 * `station.data-transfer`.
 * @see OCPP 1.6 §4.3; 2.0.1 part 2 P02.FR.06, P02.FR.07
 */
export function dataTransferPart(handlers: VendorHandlers): Part<null> {
  const dataTransfer16: DataTransfer16 = ({ vendorId, messageId, data }, _state, { station, now }) => {
    const message = { vendorId, messageId: messageId ?? null, data }
    const { status, ...rest } = answerVendor(handlers, message, { stationId: station.id, now })
    const text = 'data' in rest && rest.data !== undefined ? { data: toText(rest.data) } : {}
    return answer({ status, ...text }, tell(message, status))
  }
  const dataTransfer201: DataTransfer201 = ({ vendorId, messageId, data }, _state, { station, now }) => {
    const message = { vendorId, messageId: messageId ?? null, data }
    const result = answerVendor(handlers, message, { stationId: station.id, now })
    return answer(result as v201.DataTransferResponse, tell(message, result.status))
  }
  return {
    actions: { 'ocpp1.6': { DataTransfer: dataTransfer16 }, 'ocpp2.0.1': { DataTransfer: dataTransfer201 } },
    load: async () => null,
    save: () => [],
  }
}

const toText = (data: unknown) => (typeof data === 'string' ? data : JSON.stringify(data))

function tell({ vendorId, messageId, data }: VendorMessage, status: string): Omit<Decision, 'answer'> {
  const subject = `vendor/${vendorId}`
  return {
    events: [{ type: 'station.data-transfer', subject, data: { vendorId, messageId, data: data ?? null, status } }],
  }
}
