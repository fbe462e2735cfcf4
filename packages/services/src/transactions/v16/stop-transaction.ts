import { readStopTransaction16, type StopTransactionReading, type v16 } from '@busbar/ocpp'
import { answer, type Decide, type DecisionContext } from '../../pipeline/service.js'
import { type PresentedToken, toIdTagInfo } from '../authorization.js'
import { conclude } from '../change.js'
import { snapshot } from '../events.js'
import { keepToken, toStoredPayload } from '../kept-token.js'
import { stopStepKey, strayStopKey16 } from '../keys.js'
import { toMeterValue, toReading } from '../meter-values.js'
import type { NeedsOf } from '../needs.js'
import { dropNeedlessIntervals } from '../registers.js'
import type { ChargingState } from '../state.js'
import { addFlag, type ChargingTransaction, mergeSamples } from '../transaction.js'
import { readOnce, stationTime } from '../wire.js'
import { idTagCandidates, readIdTag } from './id-tag.js'
import { matchStop } from './match.js'
import { isIssuedId, orphanOf } from './orphan.js'

type StopTransaction = Decide<v16.StopTransactionRequest, v16.StopTransactionResponse, ChargingState>

const read = readOnce(readStopTransaction16)

/**
 * Ends a transaction. Nothing can keep a station from stopping, so every Stop is answered: one for an unknown
 * transaction is kept as an orphan, one with -1 or 0 is put where it fits best, and of two that differ the first counts.
 * @throws MissingFieldsError (an OcppError) without transactionId or meterStop
 * @see OCPP 1.6 §4.10, and errata 4.0 §3 on transactionId -1
 */
export const stopTransaction: StopTransaction = (request, state, context) => {
  const { record } = context
  const stop = read(request, record.receivedAt)
  const stepKey = keyOf(stop)
  const transaction = findTransaction(stop, stepKey, state, context)
  const step = state.findStep(transaction, stepKey)
  if (step) {
    state.repeatStep(step, record.connectionId, record.sequence)
    return answer(toResponse(step.decided))
  }
  return end(transaction, stop, stepKey, state, context)
}

export const stopTransactionNeeds: NeedsOf = (record) => {
  const stop = read(record.payload, record.receivedAt)
  const stepKey = keyOf(stop)
  const tokens = stop.idTag ? idTagCandidates(stop.idTag) : []
  if (isIssuedId(stop.transactionId)) return { tokens, ocppIds: [stop.transactionId], stepKey }
  return {
    tokens,
    ocppIds: [stepKey],
    naturalKey: () => strayStopKey16(record.stationId, stepKey),
    openTransactions: true,
    stepKey,
  }
}

function keyOf(stop: StopTransactionReading): string {
  return stopStepKey({
    timestamp: stop.timestamp.guessed ? '' : stop.timestamp.at.toISOString(),
    meterStop: stop.meterStopWh,
    idTag: stop.idTag ?? '',
    reason: stop.reason,
  })
}

function findTransaction(
  stop: StopTransactionReading,
  stepKey: string,
  state: ChargingState,
  context: DecisionContext,
): ChargingTransaction {
  const { record, newId, now } = context
  const { stationId, receivedAt } = record
  if (isIssuedId(stop.transactionId)) return orphanOf(stop.transactionId, state, context)
  // Filed under its own key, so that a replay finds where the first one was put.
  const placed = state.findByOcppId(stationId, stepKey)
  if (placed) return placed
  const { at, isPlausible } = stationTime(stop.timestamp, receivedAt)
  const presented = stop.idTag?.trim() ? presentedBy(stop.idTag, state, stationId) : null
  const stray = {
    at: isPlausible ? at : null,
    wh: stop.meterStopWh.startsWith('-') ? null : stop.meterStopWh,
    presented,
    token: presented && state.authorize(presented, now).token,
  }
  const match = matchStop(stray, state.openTransactions(stationId))
  if (match) addFlag(match, 'matched')
  const naturalKey = strayStopKey16(stationId, stepKey)
  const transaction =
    match ??
    state.findByKey(naturalKey) ??
    state.create({ id: newId(), stationId, protocol: 'ocpp1.6', naturalKey }, receivedAt)
  state.addAlias(transaction, stepKey)
  return transaction
}

function end(
  transaction: ChargingTransaction,
  stop: StopTransactionReading,
  stepKey: string,
  state: ChargingState,
  context: DecisionContext,
) {
  const { record, now } = context
  const { stationId, receivedAt } = record
  const before = snapshot(transaction)
  const { at, isPlausible } = stationTime(stop.timestamp, receivedAt)
  const presented = stop.idTag ? presentedBy(stop.idTag, state, stationId) : null
  const authorization = presented && state.authorize(presented, now)
  const token = presented && authorization && keepToken(presented, authorization)
  const decided = authorization ? toIdTagInfo(authorization) : null
  const meterValues = stop.meterValues.map((each) => toMeterValue(each, receivedAt))
  // One that we ended for want of a Stop has none yet.
  const isSecond = transaction.endedAt !== null && transaction.registers.stop !== null
  if (isSecond) {
    addFlag(transaction, 'conflict')
  } else {
    if (!isPlausible) addFlag(transaction, 'clock')
    transaction.endedAt = at
    transaction.stoppedReason = stop.reason
    transaction.stopTokenValue = token?.value ?? null
    transaction.registers.stop = toReading(stop.meterStopWh, at, receivedAt)
    dropNeedlessIntervals(transaction.registers)
    for (const { energy } of meterValues) mergeSamples(transaction, energy)
  }
  state.addReadings(meterValues, {
    stationId,
    evseNumber: transaction.evseNumber ?? 0,
    connectorNumber: transaction.connectorNumber ?? 0,
    transactionId: transaction.id,
    receivedAt,
  })
  state.addStep({
    transactionId: transaction.id,
    stepKey,
    stationId,
    connectionId: record.connectionId,
    sequence: record.sequence,
    kind: 'StopTransaction',
    seqNo: null,
    triggerReason: null,
    chargingState: null,
    offline: false,
    at,
    receivedAt,
    payload: toStoredPayload(record.payload, token),
    decided,
    flags: isSecond ? ['conflict'] : [],
  })
  return answer(toResponse(decided), {
    events: conclude(state, transaction, before, context),
    quirks: isIssuedId(stop.transactionId) ? [] : ['transaction-id-unusable'],
  })
}

function presentedBy(idTag: string, state: ChargingState, stationId: string): PresentedToken {
  return readIdTag(idTag, state.switches(stationId)).presented
}

/** With idTagInfo exactly when the station named an idTag. */
function toResponse(decided: object | null): v16.StopTransactionResponse {
  return decided ? { idTagInfo: decided as NonNullable<v16.StopTransactionResponse['idTagInfo']> } : {}
}
