import type { Headers } from '@busbar/backbone'
import type { Decision, DecisionContext, InboundRecord } from '../pipeline/service.js'
import { decisionContext, inboundCall, inboundRecord } from '../pipeline/testing.js'
import type { Token } from './authorization.js'
import { type OperatorRequest, operatorRequestType } from './operator/request.js'
import { createTransactionsService } from './service.js'
import { ChargingState, type LoadedState } from './state.js'

/** Builders of this folder's tests: what a test does not care about is filled in. */

export const startedAt = '2026-03-01T10:00:00.000Z'

export const acceptedToken: Token = {
  id: '0190a000-0000-7000-8000-000000000001',
  value: 'ABCD1234',
  foldedValue: 'abcd1234',
  type: 'ISO14443',
  status: 'accepted',
  expiresAt: null,
  groupId: null,
  masterPass: false,
  maxTransactions: null,
  language: null,
}

export function token(overrides: Partial<Token>): Token {
  const value = overrides.value ?? acceptedToken.value
  return { ...acceptedToken, foldedValue: value.toLowerCase(), ...overrides }
}

export function chargingState(loaded: Partial<LoadedState> = {}): ChargingState {
  const nothing: LoadedState = {
    tokens: [acceptedToken],
    bootCounts: new Map(),
    switches: new Map(),
    transactions: [],
    aliases: [],
    steps: [],
    corrections: [],
    running: [],
    unpacked: [],
  }
  return new ChargingState({ ...nothing, ...loaded })
}

const service = createTransactionsService()

let frames = 0
let ids = 0

/** A fresh UUID; the last 8 digits count up, so ids drawn from them differ. */
export function newId(): string {
  ids += 1
  return `0190b000-0000-7000-8000-0000${ids.toString(16).padStart(8, '0')}`
}

export function decide(
  state: ChargingState,
  record: InboundRecord,
  overrides: Partial<DecisionContext> = {},
): Decision & { result: Record<string, unknown> } {
  const decision = service.decide(record, state, decisionContext(record, { newId, ...overrides }))
  const result = decision.answer && 'result' in decision.answer ? decision.answer.result : {}
  return { ...decision, result: result as Record<string, unknown> }
}

function call16(action: string, payload: object, overrides: Partial<InboundRecord>): InboundRecord {
  frames += 1
  return inboundCall(action, payload, { protocol: 'ocpp1.6', sequence: frames, ...overrides })
}

export function authorize16(idTag: string, overrides: Partial<InboundRecord> = {}): InboundRecord {
  return call16('Authorize', { idTag }, overrides)
}

/** @param transactionId what the gateway drew for it; null when it drew none */
export function start16(
  payload: object = {},
  transactionId: number | null = 1001,
  overrides: Partial<InboundRecord> = {},
): InboundRecord {
  const headers: Headers = transactionId === null ? {} : { transactionId: String(transactionId) }
  return call16(
    'StartTransaction',
    { connectorId: 1, idTag: 'ABCD1234', meterStart: 1000, timestamp: startedAt, ...payload },
    { headers, ...overrides },
  )
}

export function stop16(payload: object = {}, overrides: Partial<InboundRecord> = {}): InboundRecord {
  return call16(
    'StopTransaction',
    { transactionId: 1001, meterStop: 6000, timestamp: '2026-03-01T11:00:00.000Z', ...payload },
    overrides,
  )
}

/** @param samples Wh by time */
export function meterValues16(
  payload: object,
  samples: Record<string, number | string>,
  overrides: Partial<InboundRecord> = {},
): InboundRecord {
  return call16('MeterValues', { connectorId: 1, ...payload, meterValue: meterValue16(samples) }, overrides)
}

export function meterValue16(samples: Record<string, number | string>): object[] {
  return Object.entries(samples).map(([timestamp, value]) => ({
    timestamp,
    sampledValue: [{ value: String(value) }],
  }))
}

export function authorize201(payload: object, overrides: Partial<InboundRecord> = {}): InboundRecord {
  frames += 1
  return inboundCall('Authorize', payload, { sequence: frames, ...overrides })
}

/** @param seqNo also the minutes since the start */
export function event201(
  eventType: 'Started' | 'Updated' | 'Ended',
  seqNo: number,
  payload: object = {},
  overrides: Partial<InboundRecord> = {},
): InboundRecord {
  frames += 1
  return inboundCall(
    'TransactionEvent',
    {
      eventType,
      seqNo,
      timestamp: minute(seqNo),
      triggerReason: 'Trigger',
      transactionInfo: { transactionId: 'T-1' },
      ...payload,
    },
    { sequence: frames, ...overrides },
  )
}

/** A time so many minutes after the start. */
export function minute(minutes: number): string {
  return new Date(Date.parse(startedAt) + minutes * 60_000).toISOString()
}

export function meterValue201(at: string, wh: number | string, sample: object = {}): object {
  return { timestamp: at, sampledValue: [{ value: wh, ...sample }] }
}

export function answered(frame: InboundRecord, answer: object, overrides: Partial<InboundRecord> = {}): InboundRecord {
  return inboundRecord({
    type: 'answered',
    stationId: frame.stationId,
    connectionId: frame.connectionId,
    sequence: frame.sequence + 1_000_000,
    protocol: frame.protocol,
    answer: '',
    payload: { sequence: frame.sequence, answer },
    ...overrides,
  })
}

export const idToken = (value: string, type = 'ISO14443') => ({ idToken: value, type })

/** 200 while working, 10^4 in CI, 10^5 by `npm run properties`. */
export const propertyRuns = Number(process.env.PROPERTY_RUNS ?? 200)

/** What an operator decided, four hours after the start. */
export function operatorRequest(
  transactionId: string,
  request: Partial<Omit<OperatorRequest, 'transactionId'>> = {},
  overrides: Partial<InboundRecord> = {},
): InboundRecord {
  const defaults = { id: newId(), kind: 'close', content: {}, reason: 'No Stop came', actor: 'Olga/key-1' } as const
  return inboundRecord({
    type: operatorRequestType,
    connectionId: '',
    sequence: -1,
    answer: '',
    receivedAt: new Date(minute(240)),
    payload: { ...defaults, ...request, transactionId },
    ...overrides,
  })
}
