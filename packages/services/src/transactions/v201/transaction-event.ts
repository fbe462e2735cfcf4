import { readTransactionEvent201, type TransactionEventReading, type v201 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import { type Authorization, type PresentedToken, toIdTokenInfo } from '../authorization.js'
import { conclude } from '../change.js'
import { snapshot } from '../events.js'
import { keepToken, toStoredPayload } from '../kept-token.js'
import { stepKey201, transactionKey201 } from '../keys.js'
import { toMeterValue } from '../meter-values.js'
import type { NeedsOf } from '../needs.js'
import type { ChargingState } from '../state.js'
import { addFlag, type ChargingTransaction, mergeEvent } from '../transaction.js'
import { readOnce, stationTime, toInt4 } from '../wire.js'

type TransactionEvent = Decide<v201.TransactionEventRequest, v201.TransactionEventResponse, ChargingState>

const read = readOnce(readTransactionEvent201)

/**
 * Records one step of a charging transaction and tells the station whether its token may charge.
 * Steps may come in any order and any number of times: one that is known changes nothing and gets the same answer.
 * @throws MissingFieldsError (an OcppError) without eventType, seqNo or transactionId
 * @see OCPP 2.0.1 part 2: E01 to E15, §1.60
 */
export const transactionEvent: TransactionEvent = (request, state, context) => {
  const { record, now, newId } = context
  const { stationId, receivedAt } = record
  const event = read(request, receivedAt)
  const naturalKey = transactionKey201(stationId, event.transactionId)
  const stepKey = keyOf(event, record.payload)
  const transaction =
    state.findByKey(naturalKey) ??
    state.create({ id: newId(), stationId, protocol: record.protocol, naturalKey }, receivedAt)
  const step = state.findStep(transaction, stepKey)
  if (step) {
    state.repeatStep(step, record.connectionId, record.sequence)
    return answer(toResponse(step.decided))
  }
  const before = snapshot(transaction)
  transaction.ocppId = event.transactionId
  state.addAlias(transaction, event.transactionId)
  const presented = event.idToken
  const isStopToken = event.triggerReason === 'StopAuthorized' || event.eventType === 'Ended'
  // Judged now, although an offline station may have charged on an outdated list (E05.FR.01); the event is kept
  // whatever comes of it, because the energy it tells of was delivered.
  const authorization = presented ? authorizeStep(transaction, presented, isStopToken, state, now) : null
  const token = presented && authorization ? keepToken(presented, authorization) : null
  const decided = authorization ? toIdTokenInfo(authorization) : null
  const { at, isPlausible } = stationTime(event.timestamp, receivedAt)
  const meterValues = event.meterValues.map((each) => toMeterValue(each, receivedAt))
  if (!isPlausible) addFlag(transaction, 'clock')
  mergeEvent(transaction, {
    stepKey,
    seqNo: event.seqNo,
    eventType: event.eventType,
    at,
    evseId: toInt4(event.evseId),
    connectorId: toInt4(event.connectorId),
    chargingState: event.chargingState,
    stoppedReason: event.stoppedReason,
    remoteStartId: toInt4(event.remoteStartId),
    reservationId: toInt4(event.reservationId),
    token,
    isStopToken,
    energy: meterValues.flatMap(({ energy }) => energy),
  })
  state.addReadings(meterValues, {
    stationId,
    evseNumber: toInt4(event.evseId) ?? 0,
    connectorNumber: toInt4(event.connectorId) ?? 0,
    transactionId: transaction.id,
    receivedAt,
  })
  state.addStep({
    transactionId: transaction.id,
    stepKey,
    stationId,
    connectionId: record.connectionId,
    sequence: record.sequence,
    kind: event.eventType,
    seqNo: toInt4(event.seqNo),
    triggerReason: event.triggerReason,
    chargingState: event.chargingState,
    offline: event.offline,
    at,
    receivedAt,
    payload: toStoredPayload(record.payload, token),
    decided,
    flags: before.endedAt === null ? [] : ['late'],
  })
  return answer(toResponse(decided), { events: conclude(state, transaction, before, context) })
}

export const transactionEventNeeds: NeedsOf = (record) => {
  const event = read(record.payload, record.receivedAt)
  return {
    tokens: event.idToken ? [event.idToken.value] : [],
    naturalKey: () => transactionKey201(record.stationId, event.transactionId),
    stepKey: keyOf(event, record.payload),
  }
}

function keyOf(event: TransactionEventReading, payload: Record<string, unknown>): string {
  const { seqNo, eventType, timestamp } = event
  return stepKey201({ seqNo, eventType, timestamp: timestamp.guessed ? null : timestamp.at, payload })
}

/** The limit on transactions at once is about starting: a token that stops one is not one more. */
function authorizeStep(
  transaction: ChargingTransaction,
  presented: PresentedToken,
  isStopToken: boolean,
  state: ChargingState,
  now: Date,
): Authorization {
  return isStopToken ? state.authorize(presented, now) : state.authorizeFor(transaction, presented, now)
}

/** With idTokenInfo exactly when the event carried a token. */
function toResponse(decided: object | null): v201.TransactionEventResponse {
  return decided ? { idTokenInfo: decided as v201.IdTokenInfoType } : {}
}
