import { type Headers, type LogRecord, topicNames } from '@busbar/backbone'
import type { Payload } from '@busbar/ocpp'
import type { DecisionContext, InboundRecord } from './service.js'

const receivedAt = new Date('2026-03-01T10:00:00.000Z')

/** A record of a lane with everything a test does not care about filled in. */
export function inboundRecord(overrides: Partial<InboundRecord> = {}): InboundRecord {
  const record: InboundRecord = {
    record: logRecord(),
    type: 'call',
    stationId: 'CP-1',
    connectionId: 'connection-1',
    epoch: 1_000,
    sequence: 1,
    protocol: 'ocpp2.0.1',
    receivedAt,
    action: '',
    messageId: 'message-1',
    answer: 'decision',
    payload: {},
    headers: {},
    ...overrides,
  }
  return record
}

/** A call as the gateway logged it. */
export function inboundCall(
  action: string,
  payload: Payload | object,
  overrides: Partial<InboundRecord> = {},
): InboundRecord {
  return inboundRecord({ action, payload: payload as Payload, ...overrides })
}

export function logRecord(overrides: Partial<LogRecord> = {}): LogRecord {
  return {
    topic: 'busbar.ocpp.stations',
    partition: 0,
    offset: 0n,
    key: 'CP-1',
    value: Buffer.from('{}'),
    headers: {},
    appendedAt: receivedAt,
    ...overrides,
  }
}

/** A record as it lies in the log: the frame of a call and the gateway's headers. */
export function loggedCall(
  action: string,
  payload: object,
  overrides: Partial<LogRecord> & { extraHeaders?: Headers } = {},
): LogRecord {
  const { extraHeaders, ...rest } = overrides
  const headers: Headers = {
    type: 'call',
    station: 'CP-1',
    connection: 'connection-1',
    epoch: '1000',
    sequence: '1',
    receivedAt: receivedAt.toISOString(),
    protocol: 'ocpp2.0.1',
    gateway: 'gateway-1',
    action,
    messageId: 'message-1',
    answer: 'decision',
    ...extraHeaders,
  }
  return logRecord({ value: Buffer.from(JSON.stringify([2, headers.messageId, action, payload])), headers, ...rest })
}

/** `now` is the record's receivedAt unless told; ids count up: 00000000-0000-7000-8000-000000000001, ... */
export function decisionContext(
  record: InboundRecord = inboundRecord(),
  overrides: Partial<DecisionContext> = {},
): DecisionContext {
  let ids = 0
  return {
    now: record.receivedAt,
    newId: () => `00000000-0000-7000-8000-${String(++ids).padStart(12, '0')}`,
    station: { id: record.stationId, protocol: record.protocol },
    record,
    topics: topicNames('busbar'),
    ...overrides,
  }
}
