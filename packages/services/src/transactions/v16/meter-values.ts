import { readMeterValues16, type v16 } from '@busbar/ocpp'
import { answer, type Decide, type DecisionContext } from '../../pipeline/service.js'
import { conclude } from '../change.js'
import { snapshot } from '../events.js'
import { toMeterValue } from '../meter-values.js'
import type { NeedsOf } from '../needs.js'
import type { ChargingState } from '../state.js'
import { addFlag, type ChargingTransaction, mergeSamples } from '../transaction.js'
import { readOnce, toInt4 } from '../wire.js'
import { matchConnector } from './match.js'
import { isIssuedId, orphanOf } from './orphan.js'

type MeterValues = Decide<v16.MeterValuesRequest, v16.MeterValuesResponse, ChargingState>

const read = readOnce(readMeterValues16)

/**
 * Keeps readings: on their transaction when they name one, running or over, else on the connector alone.
 * @see OCPP 1.6 §4.7, and errata 4.0 §3 on transactionId -1
 */
export const meterValues: MeterValues = (request, state, context) => {
  const { stationId, receivedAt } = context.record
  const { connectorId, transactionId, meterValues: readings } = read(request, receivedAt)
  const values = readings.map((each) => toMeterValue(each, receivedAt))
  const evseNumber = toInt4(connectorId) ?? 0
  const transaction = findTransaction(transactionId, evseNumber, state, context)
  state.addReadings(values, {
    stationId,
    evseNumber,
    connectorNumber: evseNumber === 0 ? 0 : 1,
    transactionId: transaction?.id ?? null,
    receivedAt,
  })
  if (!transaction) return answer({})
  const before = snapshot(transaction)
  const merged = values.map(({ energy }) => mergeSamples(transaction, energy))
  // Connector n of 1.6 is the only connector of EVSE n; 0 is the whole station, which charges nobody.
  const showsPlace = transaction.startedAt === null && transaction.evseNumber === null && evseNumber > 0
  if (!merged.includes(true) && !showsPlace) return answer({})
  if (showsPlace) Object.assign(transaction, { evseNumber, connectorNumber: 1 })
  if (transactionId !== null && !isIssuedId(transactionId)) addFlag(transaction, 'matched')
  return answer({}, { events: conclude(state, transaction, before, context) })
}

export const meterValuesNeeds: NeedsOf = (record) => {
  const { transactionId } = read(record.payload, record.receivedAt)
  if (transactionId === null) return {}
  return isIssuedId(transactionId) ? { ocppIds: [transactionId] } : { openTransactions: true }
}

function findTransaction(
  transactionId: string | null,
  connectorId: number,
  state: ChargingState,
  context: DecisionContext,
): ChargingTransaction | null {
  if (transactionId === null) return null
  if (isIssuedId(transactionId)) return orphanOf(transactionId, state, context)
  return matchConnector(connectorId, state.openTransactions(context.record.stationId))
}
