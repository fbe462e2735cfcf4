import type { Headers } from '@busbar/backbone'
import { type Payload, redact, redactFrame, resultFrame } from '@busbar/ocpp'
import type { Connection } from './connection.js'

/** Of a station's call, as far as it could be read. */
export interface CallNames {
  action: string
  messageId: string
}

const burst = 30
const perSecond = 1

/**
 * What the journal cannot see in the lanes, on `busbar.ocpp.sent`: what we sent, what we refused, what was no message.
 * Secrets are masked. Best effort: nobody waits for it. What a station gets wrong is bounded per connection.
 */
export class Journal {
  readonly #connection: Connection
  #quota = burst
  #filledAt = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** @param text secrets already masked */
  sent(type: string, text: string, names: CallNames): void {
    this.#append(type, text, { direction: 'out', ...names })
  }

  answer(type: 'answer' | 'safe-answer', { action, messageId }: CallNames, payload: Payload): void {
    const redacted = redact(this.#connection.protocol, action, 'response', payload)
    this.sent(type, resultFrame(messageId, redacted), { action, messageId })
  }

  /** A call and the CALLERROR it got. */
  refusal(frame: Buffer, names: CallNames, note: string, error: string): void {
    if (!this.#take()) return
    this.#append('refused', this.masked(frame), { direction: 'in', note, ...names })
    this.sent('error', error, names)
  }

  /** A frame that is no call, or none that can be read. */
  stray(type: 'refused' | 'broken', frame: Buffer, note: string): void {
    if (this.#take()) this.#append(type, this.masked(frame), { direction: 'in', note })
  }

  masked(frame: Buffer): string {
    return redactFrame(this.#connection.protocol, frame.toString('utf8'))
  }

  #append(type: string, text: string, extra: Headers): void {
    const { log, topics, metrics } = this.#connection.ports
    const record = this.#connection.toRecord(topics.sent, type, text, extra)
    log.append(record, { linger: 'alone' }).catch(() => metrics.lost('journal'))
  }

  #take(): boolean {
    const now = performance.now()
    this.#quota = Math.min(burst, this.#quota + ((now - this.#filledAt) / 1000) * perSecond)
    this.#filledAt = now
    if (this.#quota < 1) return false
    this.#quota--
    return true
  }
}
