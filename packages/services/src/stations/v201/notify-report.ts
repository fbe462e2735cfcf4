import type { v201 } from '@busbar/ocpp'
import { isStorableNumber } from '../../pipeline/numbers.js'
import { answer, type Decide } from '../../pipeline/service.js'
import { completeParts, safeReportData, toVariables } from '../device-model.js'
import type { StationsState } from '../state.js'

/** Of one station's open reports: one that never ends a report must not fill the table. */
const maxStoredParts = 5_000

/**
 * Collects the parts of a report, in any order and over any number of batches, and brings them into the device model
 * only when all are there: a report that broke off changes nothing. A part may come again. Numbers beyond 32 bits are of
 * no report of ours and are passed over.
 *
 * The commands service learns of the end by a `follow-up` record on its lane, {type: 'report', requestId, complete}.
 * @see OCPP 2.0.1 part 2 B07, B08, §1.40
 */
export const notifyReport: Decide<v201.NotifyReportRequest, v201.NotifyReportResponse, StationsState> = (
  request,
  state,
  { station, record, topics },
) => {
  const { requestId, seqNo } = request
  if (!isStorableNumber(requestId) || !isStorableNumber(seqNo)) return answer({})
  if (state.storedParts(station.id) >= maxStoredParts) return answer({})
  state.addPart({
    stationId: station.id,
    requestId,
    seqNo,
    toBeContinued: request.tbc ?? false,
    reportData: safeReportData(request),
    receivedAt: record.receivedAt,
  })
  const parts = completeParts(state.partsOf(station.id, requestId).values())
  if (!parts) return answer({})

  const reportData = parts.flatMap((part) => part.reportData as v201.ReportDataType[])
  const variables = toVariables(station.id, reportData, record.receivedAt)
  state.finishReport(station.id, requestId, variables)
  const data = { requestId, attributes: variables.length }
  const followUp = {
    topic: topics.outcomes,
    key: station.id,
    value: JSON.stringify({ type: 'report', requestId, complete: true }),
    headers: {
      type: 'follow-up',
      station: station.id,
      connection: record.connectionId,
      receivedAt: record.receivedAt.toISOString(),
      protocol: station.protocol,
    },
  }
  return answer(
    {},
    { events: [{ type: 'report.completed', subject: `report/${requestId}`, data }], records: [followUp] },
  )
}
