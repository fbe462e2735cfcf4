import { readStartTransaction16, type StartTransactionReading, type v16 } from '@busbar/ocpp'
import { answer, type Decide, type Decision, type DecisionContext, type InboundRecord } from '../../pipeline/service.js'
import { toIdTagInfo } from '../authorization.js'
import { conclude } from '../change.js'
import { snapshot, toEvents } from '../events.js'
import { keepToken, toStoredPayload } from '../kept-token.js'
import { startKey16, startStepKey } from '../keys.js'
import { toReading } from '../meter-values.js'
import type { NeedsOf } from '../needs.js'
import { dropNeedlessIntervals } from '../registers.js'
import type { ChargingState } from '../state.js'
import { addFlag, type ChargingTransaction, endAtLastReading, setToken } from '../transaction.js'
import { readOnce, stationTime, toInt4 } from '../wire.js'
import { idTagCandidates, readIdTag } from './id-tag.js'

type StartTransaction = Decide<v16.StartTransactionRequest, v16.StartTransactionResponse, ChargingState>

const read = readOnce(readStartTransaction16)

/**
 * Begins a transaction, whatever the token: the station charges already, and the energy has to be booked somewhere.
 * A replay finds the transaction by what the station says of it, and gets the same id and the same status.
 * @throws MissingFieldsError (an OcppError) without connectorId, idTag or meterStart
 * @see OCPP 1.6 §4.8, and errata 4.0 §3 on transactionId
 */
export const startTransaction: StartTransaction = (request, state, context) => {
  const { record } = context
  const start = read(request, record.receivedAt)
  const naturalKey = keyOf(start, record, state.bootCount(record.stationId))
  const known = state.findByKey(naturalKey)
  const step = known && state.findStep(known, startStepKey)
  if (known && step) {
    state.repeatStep(step, record.connectionId, record.sequence)
    // The gateway may already have handed out the id it drew for this frame.
    if (record.headers.transactionId) state.addAlias(known, record.headers.transactionId)
    return answer(toResponse(known, step.decided))
  }
  const transaction = known ?? place(naturalKey, state, context)
  return begin(transaction, start, state, context)
}

export const startTransactionNeeds: NeedsOf = (record) => {
  const start = read(record.payload, record.receivedAt)
  return {
    tokens: idTagCandidates(start.idTag),
    naturalKey: (bootCount) => keyOf(start, record, bootCount),
    ocppIds: record.headers.transactionId ? [record.headers.transactionId] : [],
    openTransactions: true,
    stepKey: startStepKey,
  }
}

function keyOf(start: StartTransactionReading, record: InboundRecord, bootCount: number): string {
  return startKey16({
    stationId: record.stationId,
    connectorId: start.connectorId,
    idTag: start.idTag,
    timestamp: start.timestamp.guessed ? null : start.timestamp.at,
    meterStart: start.meterStartWh,
    receivedAt: record.receivedAt,
    bootCount,
  })
}

/** A new transaction under the id the gateway drew, or the orphan that was waiting for this start. */
function place(naturalKey: string, state: ChargingState, context: DecisionContext): ChargingTransaction {
  const { record, newId } = context
  const { stationId } = record
  let ocppId = record.headers.transactionId ?? drawId(newId)
  let owner = state.findByOcppId(stationId, ocppId)
  if (owner?.protocol === 'ocpp1.6' && owner.startedAt === null) {
    state.rekey(owner, naturalKey)
    return owner
  }
  while (owner) {
    ocppId = drawId(newId)
    owner = state.findByOcppId(stationId, ocppId)
  }
  const transaction = state.create({ id: newId(), stationId, protocol: 'ocpp1.6', naturalKey }, record.receivedAt)
  transaction.ocppId = ocppId
  state.addAlias(transaction, ocppId)
  return transaction
}

/** 1 to 2^31 - 1, from the random end of a UUIDv7. */
function drawId(newId: () => string): string {
  return String(Number.parseInt(newId().slice(-8), 16) & 0x7fffffff || 1)
}

function begin(
  transaction: ChargingTransaction,
  start: StartTransactionReading,
  state: ChargingState,
  context: DecisionContext,
) {
  const { record, now } = context
  const { receivedAt } = record
  const before = snapshot(transaction)
  const { at, isPlausible } = stationTime(start.timestamp, receivedAt)
  if (!isPlausible) addFlag(transaction, 'clock')
  transaction.startedAt = at
  transaction.evseNumber = toInt4(start.connectorId)
  // Connector n of 1.6 is the only connector of EVSE n.
  transaction.connectorNumber = 1
  transaction.reservationId = toInt4(start.reservationId)
  transaction.registers.start = toReading(start.meterStartWh, at, receivedAt)
  dropNeedlessIntervals(transaction.registers)
  // First of all, because what is superseded no longer counts against the token.
  const superseded = supersede(transaction, state, receivedAt)
  const { presented, quirks } = readIdTag(start.idTag, state.switches(record.stationId))
  const authorization = state.authorizeFor(transaction, presented, now)
  const token = keepToken(presented, authorization)
  const decided = toIdTagInfo(authorization)
  setToken(transaction, { ...token, status: decided.status })
  state.addStep({
    transactionId: transaction.id,
    stepKey: startStepKey,
    stationId: record.stationId,
    connectionId: record.connectionId,
    sequence: record.sequence,
    kind: 'StartTransaction',
    seqNo: null,
    triggerReason: null,
    chargingState: null,
    offline: false,
    at,
    receivedAt,
    payload: toStoredPayload(record.payload, token),
    decided,
    flags: [],
  })
  const events = conclude(state, transaction, before, context)
  return answer(toResponse(transaction, decided), {
    events: [...superseded.events, ...events],
    quirks: [...quirks, ...superseded.quirks],
  })
}

/**
 * Of all that are open on one connector only the latest can still run; the others never told of their end. They stay
 * open, because their Stop may still come, unless the station is known never to send it.
 */
function supersede(
  started: ChargingTransaction,
  state: ChargingState,
  receivedAt: Date,
): Required<Pick<Decision, 'events' | 'quirks'>> {
  if (started.endedAt !== null) return { events: [], quirks: [] }
  const others = state
    .openTransactions(started.stationId)
    .filter((each) => each.protocol === 'ocpp1.6' && each.evseNumber === started.evseNumber && each !== started)
  if (others.some((each) => beginOf(each) > beginOf(started))) addFlag(started, 'superseded')
  const earlier = others.filter((each) => beginOf(each) <= beginOf(started))
  const isEnding = state.switches(started.stationId).endSuperseded === true
  const events = earlier.flatMap((each) => {
    const before = snapshot(each)
    addFlag(each, 'superseded')
    if (isEnding) endAtLastReading(each)
    state.keep(each, receivedAt)
    return toEvents(before, each)
  })
  return { events, quirks: isEnding ? earlier.map(() => 'transaction-never-ended' as const) : [] }
}

/** By the station's clock, unless that is wrong. */
function beginOf({ startedAt, createdAt, flags }: ChargingTransaction): number {
  return (flags.includes('clock') || startedAt === null ? createdAt : startedAt).getTime()
}

function toResponse(transaction: ChargingTransaction, decided: object | null): v16.StartTransactionResponse {
  return {
    transactionId: Number(transaction.ocppId),
    idTagInfo: decided as v16.StartTransactionResponse['idTagInfo'],
  }
}
