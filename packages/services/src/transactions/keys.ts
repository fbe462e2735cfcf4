import * as crypto from 'node:crypto'
import { stableJson } from './stable-json.js'

/**
 * Natural keys: what makes two messages the same one. A messageId never is: a retry carries a new one
 * (OCPP-J 1.6 §4.1.4; OCPP 2.0.1 part 4 §4.1.4).
 */

const dayMs = 24 * 60 * 60 * 1000
const clockEpoch = Date.UTC(2020, 0, 1)

/** False for the clocks of stations that never learned the time: before 2020, or over a day ahead of ours. */
export function isPlausibleClock(at: Date, receivedAt: Date): boolean {
  return at.getTime() >= clockEpoch && !isFarAhead(at, receivedAt)
}

export function isFarAhead(at: Date, receivedAt: Date): boolean {
  return at.getTime() > receivedAt.getTime() + dayMs
}

/** What a 1.6 StartTransaction says of itself. */
export interface StartIdentity {
  stationId: string
  connectorId: number
  idTag: string
  /** null when the station sent none that can be read. */
  timestamp: Date | null
  /** Wh as sent, canonical text. */
  meterStart: string
  receivedAt: Date
  /** How often the station has booted; tells sessions apart whose clock starts at the same moment after each boot. */
  bootCount: number
}

/** Hashed, because the idTag may be a key code, which must not be readable anywhere (OCPP 2.0.1 C04.FR.04). */
export function startKey16(start: StartIdentity): string {
  const { stationId, connectorId, timestamp, meterStart, receivedAt, bootCount } = start
  const isPlausible = timestamp !== null && isPlausibleClock(timestamp, receivedAt)
  const identity = [
    connectorId,
    start.idTag.toLowerCase(),
    timestamp?.toISOString() ?? null,
    meterStart,
    isPlausible ? null : bootCount,
  ]
  return `16|${stationId}|${hash(identity)}`
}

/** A transaction of which only its 1.6 transactionId is known. */
export function orphanKey16(stationId: string, ocppId: string): string {
  return `16-orphan|${stationId}|${ocppId}`
}

/** A Stop without a usable transactionId that fits no open transaction. */
export function strayStopKey16(stationId: string, stopKey: string): string {
  return `16-stray|${stationId}|${stopKey}`
}

export function transactionKey201(stationId: string, transactionId: string): string {
  return `201|${stationId}|${transactionId}`
}

export const startStepKey = 'start'

export function stopStepKey(stop: { timestamp: string; meterStop: string; idTag: string; reason: string }): string {
  return `stop|${hash([stop.timestamp, stop.meterStop, stop.idTag.toLowerCase(), stop.reason])}`
}

/**
 * Sorts as the steps of one transaction happened: by seqNo, then time. `offline` is left out of the content, because
 * a station may set it when it repeats an event that found no answer; other content under one seqNo is another step.
 */
export function stepKey201(step: {
  seqNo: number
  eventType: string
  /** null when the station sent none that can be read. */
  timestamp: Date | null
  payload: Record<string, unknown>
}): string {
  const { offline: _, ...content } = step.payload
  const seqNo = String(Math.max(0, step.seqNo)).padStart(10, '0')
  return `${seqNo}|${step.timestamp?.toISOString() ?? ''}|${step.eventType}|${hash(content)}`
}

function hash(value: unknown): string {
  // One call instead of an object, an update and a digest: this runs for every message and reading.
  return crypto.hash('sha256', stableJson(value), 'base64url').slice(0, 32)
}
