import type { Headers, LogRecord } from '@busbar/backbone'
import { type Payload, type Protocol, parseFrame } from '@busbar/ocpp'
import { isObject } from './objects.js'
import { cloudEventsType } from './outgoing.js'
import type { InboundRecord } from './service.js'
import { toStorable, toStorableText } from './storable.js'

/**
 * Reads a record of the log.
 * @param reads 'headers' leaves the value alone: `payload` is {}
 * @throws Error when the record cannot be what it claims to be; it will never be, so it becomes a dead letter
 */
export function parseRecord(record: LogRecord, reads: 'payload' | 'headers' = 'payload'): InboundRecord {
  const headers = toStorable(record.headers) as Headers
  const type = headers.type ?? (headers['content-type'] === cloudEventsType ? 'event' : '')
  const protocol = parseProtocol(headers.protocol)
  return {
    record,
    type,
    stationId: headers.station ?? toStorableText(record.key),
    connectionId: headers.connection ?? '',
    epoch: parseCount(headers, 'epoch', 0),
    sequence: parseCount(headers, 'sequence', -1),
    protocol,
    receivedAt: parseReceivedAt(headers.receivedAt, record.appendedAt),
    action: headers.action ?? '',
    messageId: headers.messageId ?? '',
    answer: headers.answer === 'log' || headers.answer === 'decision' ? headers.answer : '',
    payload: reads === 'headers' ? {} : parsePayload(record.value.toString('utf8'), type, protocol),
    headers,
  }
}

function parsePayload(text: string, type: string, protocol: Protocol): Payload {
  // Frames come out of ocpp storable already.
  if (type === 'call') return parseCall(text, protocol)
  const json: unknown = JSON.parse(text)
  const value = isObject(json) ? json : {}
  // What Postgres cannot store reaches a JSON text only as an escape: raw control characters are no JSON, and raw
  // halves of a pair do not survive UTF-8.
  return text.includes('\\u') ? (toStorable(value) as Payload) : value
}

function parseCall(text: string, protocol: Protocol): Payload {
  const frame = parseFrame(text, protocol)
  if (frame.kind !== 'call' && frame.kind !== 'send') throw new Error(`a record of type call holds a ${frame.kind}`)
  return frame.payload
}

function parseProtocol(text: string | undefined): Protocol {
  return text === 'ocpp2.0.1' || text === 'ocpp2.1' ? text : 'ocpp1.6'
}

function parseCount(headers: Headers, name: string, missing: number): number {
  const text = headers[name]
  if (text === undefined) return missing
  const count = Number(text)
  if (!Number.isSafeInteger(count)) throw new Error(`header ${name} is no integer: ${text}`)
  return count
}

function parseReceivedAt(text: string | undefined, appendedAt: Date): Date {
  const at = new Date(text ?? Number.NaN)
  return Number.isNaN(at.getTime()) ? appendedAt : at
}
