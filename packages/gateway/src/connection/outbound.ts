import type { CommandMessage } from '@busbar/backbone'
import {
  callFrame,
  type Frame,
  findAction,
  listSecrets,
  mapSecrets,
  maskTexts,
  type Payload,
  redact,
  validate,
} from '@busbar/ocpp'
import { newId } from '@busbar/store'
import type { Connection } from './connection.js'
import { refusalToSend } from './gate.js'

/** The answer to a call of ours, or the word that it could not be read. */
export type StationAnswer = Extract<Frame, { kind: 'result' | 'error' }>

interface SentCall {
  command: CommandMessage
  messageId: string
  sentAt: Date
}

type OutboundState =
  | { kind: 'idle' }
  /** One call of ours is out; the next waits for its answer or `deadline` (OCPP 2.0.1 part 4 §4.1.1). */
  | { kind: 'waiting'; call: SentCall; deadline: number }
  | { kind: 'closed' }

/** What became of one call of ours. `lost`: written to a socket that closed before the answer came. */
export const outcomeKinds = ['result', 'error', 'timeout', 'expired', 'unsent', 'lost'] as const
export type OutcomeKind = (typeof outcomeKinds)[number]

const maxLate = 20
const lateForMs = 5 * 60_000

/**
 * Our calls to one station: first in, first out, one in flight. Never sent twice, and every one ends in an outcome on
 * `busbar.ocpp.commands`.
 */
export class Outbound {
  readonly #connection: Connection
  #queue: CommandMessage[] = []
  #state: OutboundState = { kind: 'idle' }
  /** Timed out, by messageId: their results are recorded if they still come. */
  readonly #late = new Map<string, SentCall>()
  /** No call before it, for a station that needs a rest; monotonic milliseconds. */
  #restsUntil = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get isIdle(): boolean {
    return this.#state.kind !== 'waiting' && this.#queue.length === 0
  }

  get isWaiting(): boolean {
    return this.#state.kind === 'waiting'
  }

  enqueue(command: CommandMessage): void {
    if (this.#state.kind === 'closed') {
      this.#unsent(command, 'The connection closed')
      return
    }
    if (this.#queue.length >= this.#connection.ports.config.maxQueuedCalls) {
      this.#unsent(command, 'Too many calls wait for this station')
      return
    }
    this.#queue.push(command)
    this.next()
  }

  /** Sends the head of the queue if nothing is in flight and nothing speaks against it. */
  next(): void {
    while (this.#state.kind === 'idle') {
      const command = this.#queue[0]
      if (!command || this.#waitsForAnswer(command) || this.#waits()) return
      this.#queue.shift()
      if (Date.parse(command.expiresAt) <= Date.now()) this.#expired(command)
      else this.#send(command)
    }
  }

  /** @returns false when it answers no call of ours */
  answered(frame: StationAnswer): boolean {
    const state = this.#state
    if (state.kind === 'waiting' && state.call.messageId === frame.messageId) {
      this.#state = { kind: 'idle' }
      const { callPauseMs } = this.#connection.station.switches
      if (typeof callPauseMs === 'number') this.#restsUntil = performance.now() + callPauseMs
      this.#record(state.call, frame, false)
      this.next()
      return true
    }
    const late = this.#late.get(frame.messageId)
    if (!late || Date.now() - late.sentAt.getTime() > lateForMs) return false
    this.#late.delete(frame.messageId)
    this.#record(late, frame, true)
    return true
  }

  sweep(now: number): void {
    const expired = this.#queue.filter((command) => Date.parse(command.expiresAt) <= Date.now())
    if (expired.length > 0) {
      this.#queue = this.#queue.filter((command) => !expired.includes(command))
      for (const command of expired) this.#expired(command)
    }
    const state = this.#state
    if (state.kind === 'waiting' && now >= state.deadline) {
      this.#state = { kind: 'idle' }
      this.#remember(state.call)
      this.#outcome(state.call.command, 'timeout', { sentAt: state.call.sentAt.toISOString() })
    }
    this.next()
  }

  /** Nothing new goes out; the answer to what is out is still taken. */
  stopSending(reason: string): void {
    for (const command of this.#queue.splice(0)) this.#unsent(command, reason)
  }

  /** The socket is gone. */
  close(): void {
    const state = this.#state
    this.#state = { kind: 'closed' }
    if (state.kind === 'waiting') {
      this.#outcome(state.call.command, 'lost', { sentAt: state.call.sentAt.toISOString() })
    }
    this.stopSending('The connection closed')
  }

  /** Switches callsOnlyAfterBoot and callPauseMs, and a gateway that slept: what is queued meanwhile goes with a later tick. */
  #waits(): boolean {
    const { registration, station, ports } = this.#connection
    if (!ports.isAwake()) return true
    if (station.switches.callsOnlyAfterBoot === true && registration !== 'Accepted') return true
    return performance.now() < this.#restsUntil
  }

  /** A call that follows from a call of the station waits until that one is answered. */
  #waitsForAnswer({ afterSequence }: CommandMessage): boolean {
    if (!afterSequence || afterSequence.connectionId !== this.#connection.id) return false
    return !this.#connection.inbound.isAnswered(afterSequence.sequence)
  }

  #send(command: CommandMessage): void {
    const connection = this.#connection
    const { config } = connection.ports
    const payload = command.payload as Payload
    const row = findAction(connection.protocol, command.action)
    const refusal =
      connection.refusalToSend() ??
      (row ? null : `${connection.protocol} has no ${command.action}`) ??
      refusalToSend(connection.protocol, connection.registration, command.action, payload)
    if (refusal !== null) {
      this.#unsent(command, refusal)
      return
    }
    const messageId = newId()
    let text: string
    try {
      text = callFrame(messageId, command.action, this.#open(command))
    } catch (cause) {
      connection.ports.logger.error({ err: cause, station: connection.station.id }, 'a sealed value does not open')
      this.#unsent(command, 'A sealed value does not open')
      return
    }
    const call: SentCall = { command, messageId, sentAt: new Date() }
    this.#state = { kind: 'waiting', call, deadline: performance.now() + (row?.timeoutMs ?? config.callTimeoutMs) }
    connection.watch()
    connection.send(text)
    const redacted = redact(connection.protocol, command.action, 'request', payload)
    connection.journal.sent('command', callFrame(messageId, command.action, redacted), {
      action: command.action,
      messageId,
    })
  }

  /** Only here, at the socket, a secret is readable. @throws Error when a sealed value does not open */
  #open({ action, payload }: CommandMessage): Payload {
    const { protocol, ports } = this.#connection
    return mapSecrets(protocol, action, 'request', payload as Payload, (value) =>
      ports.vault.isSealed(value) ? ports.vault.open(value) : value,
    )
  }

  #record({ command, sentAt }: SentCall, frame: StationAnswer, late: boolean): void {
    const connection = this.#connection
    const { action } = command
    const rest = { sentAt: sentAt.toISOString(), late }
    // It may echo what it was sent.
    const secrets = listSecrets(connection.protocol, action, 'request', this.#open(command))
    if (frame.kind === 'error') {
      const { code, description, details } = frame
      this.#outcome(command, 'error', { ...rest, error: maskTexts({ code, description, details }, secrets) })
      return
    }
    const violations = validate(connection.protocol, action, 'response', frame.payload, 'inbound')
    if (violations.length > 0) connection.ports.metrics.quirk('response-schema')
    connection.callAnswered(action, command.payload as Payload, frame.payload)
    const payload = redact(connection.protocol, action, 'response', frame.payload)
    const said = maskTexts({ payload, ...(violations.length > 0 && { violations }) }, secrets)
    this.#outcome(command, 'result', { ...rest, ...said })
  }

  #unsent(command: CommandMessage, description: string): void {
    this.#outcome(command, 'unsent', { error: { code: 'Unsent', description, details: {} } })
  }

  #expired(command: CommandMessage): void {
    const description =
      this.#state.kind === 'waiting'
        ? `The station had not answered ${this.#state.call.command.action} by then`
        : 'It could not be sent by then'
    this.#outcome(command, 'expired', { error: { code: 'Expired', description, details: {} } })
  }

  #outcome({ commandId, callIndex, action }: CommandMessage, outcome: OutcomeKind, rest: object): void {
    const { metrics, kept, topics } = this.#connection.ports
    metrics.command(outcome)
    const value = { commandId, callIndex, outcome, action, late: false, at: new Date().toISOString(), ...rest }
    kept.append(
      this.#connection.toRecord(topics.outcomes, 'outcome', JSON.stringify(value), { action, direction: 'in' }),
    )
  }

  #remember(call: SentCall): void {
    this.#late.set(call.messageId, call)
    for (const oldest of this.#late.keys()) {
      if (this.#late.size <= maxLate) return
      this.#late.delete(oldest)
    }
  }
}
