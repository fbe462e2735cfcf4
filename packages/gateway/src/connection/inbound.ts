import { randomInt } from 'node:crypto'
import type { ChannelMessage, Headers, OutgoingRecord } from '@busbar/backbone'
import {
  type ActionRow,
  errorFrame,
  type Frame,
  findAction,
  OcppError,
  type Payload,
  parseFrame,
  type RpcErrorCode,
  resultFrame,
} from '@busbar/ocpp'
import { closeCodes } from '../config.js'
import type { CallOutcome } from '../metrics.js'
import type { Connection } from './connection.js'
import { checkPayload } from './payload-check.js'
import { type CallPhase, type PendingCall, PendingCalls, toPending } from './pending-calls.js'

const settling: CallPhase = { kind: 'settling' }

interface Refusal {
  code: RpcErrorCode
  message: string
}

/**
 * The station's calls, from the socket to their answers. Order: logged and answered as they came. Bound: beyond
 * `maxPendingCalls` the socket is not read, and frames that were read already wait in the inbox.
 */
export class Inbound {
  readonly #connection: Connection
  readonly #pending: PendingCalls
  readonly #inbox: Buffer[] = []
  #inboxBytes = 0
  #isPumping = false

  constructor(connection: Connection) {
    this.#connection = connection
    this.#pending = new PendingCalls(connection)
  }

  /** Every call was answered, or given up. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#inbox.length === 0
  }

  isAnswered(sequence: number): boolean {
    return this.#pending.find(sequence) === undefined
  }

  /** One message off the socket. Never throws: a wrong frame does not end the connection, a bug of ours does. */
  receive(frame: Buffer, isBinary: boolean): void {
    const connection = this.#connection
    const { config } = connection.ports
    const isAccepted = connection.registration === 'Accepted'
    if (frame.length > (isAccepted ? config.maxMessageBytes : config.maxMessageBytesBeforeAccepted)) {
      connection.close(closeCodes.tooBig, 'The message is too big')
    } else if (isBinary) {
      this.#refuseBinary(frame)
    } else if (this.#inbox.length === 0 && this.#hasRoom(frame)) {
      this.#read(frame)
    } else {
      this.#inbox.push(frame)
      this.#inboxBytes += frame.length
      connection.pause()
      connection.watch()
      // One compressed chunk may hold many messages, and a pause does not stop those.
      if (this.#inboxBytes > 2 * config.maxMessageBytes) connection.cut('flood')
    }
  }

  /** A service decided. Matches its own connection and sequence only, never a messageId. */
  decided({ sequence, answer }: Extract<ChannelMessage, { kind: 'answer' }>): void {
    const { metrics } = this.#connection.ports
    const call = this.#pending.find(sequence)
    // A decision proves that the log holds the call, whether or not we have heard so yet.
    const isWaited = call?.phase.kind === 'deciding' || call?.phase.kind === 'logging'
    if (!isWaited || call.answer !== 'decision') metrics.lost('answer')
    else if ('error' in answer) this.#answerWithError(call, answer.error as Refusal)
    else this.#answerWithResult(call, answer.result as Payload, 'answer')
  }

  /** Looks at the deadlines of what is pending, and reads on when bytes became free. */
  sweep(now: number): void {
    const { config } = this.#connection.ports
    for (const call of this.#pending.list()) {
      const { phase, row } = call
      if (phase.kind === 'deciding' && row?.safeAnswer) {
        if (now - phase.since >= config.safeAnswerAfterMs) this.#settle(call, row, row.safeAnswer)
      } else if (phase.kind === 'logging' || phase.kind === 'deciding') {
        const isOverdue = now - call.receivedAt >= config.answerWithinMs
        if (isOverdue) this.#connection.close(closeCodes.tryLater, 'No answer in time')
      }
    }
    this.#pump()
  }

  /** The socket is gone. What is on its way into the log still gets there. */
  giveUp(): void {
    this.#pending.giveUp()
    this.#inbox.length = 0
  }

  #hasRoom(frame: Buffer): boolean {
    const { budget, config } = this.#connection.ports
    return this.#pending.size < config.maxPendingCalls && budget.take(frame.length)
  }

  /** @param frame counted in the byte budget; freed here, unless a pending call keeps it */
  #read(frame: Buffer): void {
    const connection = this.#connection
    const before = this.#pending.size
    try {
      this.#handle(frame)
    } catch (cause) {
      connection.ports.logger.error({ err: cause, station: connection.station.id }, 'a frame could not be handled')
      connection.journal.stray('broken', frame, 'not handled: a bug')
      connection.close(closeCodes.bug, 'Internal error')
    }
    if (this.#pending.size === before) connection.ports.budget.free(frame.length)
  }

  #handle(frame: Buffer): void {
    const connection = this.#connection
    const text = frame.toString('utf8')
    // Stands for bytes that are no UTF-8; hardly any station means the character itself.
    if (text.includes('\ufffd')) connection.ports.metrics.quirk('invalid-utf8')
    let message: Frame
    try {
      message = parseFrame(text, connection.protocol)
    } catch (cause) {
      if (!(cause instanceof OcppError)) throw cause
      this.#broken(frame, cause)
      return
    }
    if (message.kind === 'call') {
      const row = findAction(connection.protocol, message.action) ?? null
      this.#call(toPending(frame, message, row, connection.lastSeenAt), message.action)
    } else if (message.kind === 'result' || message.kind === 'error') {
      if (!connection.answered(message)) connection.journal.stray('refused', frame, 'answer to no call of ours')
    } else {
      const note = message.kind === 'ignored' ? message.reason : `${message.kind} is not supported`
      connection.journal.stray('broken', frame, note)
    }
  }

  #call(call: PendingCall, action: string): void {
    const connection = this.#connection
    const { config, metrics } = connection.ports
    const { row, payload } = call
    if (this.#pending.size > 0 && this.#pending.hasSame(call)) {
      metrics.call(call.action, call.answer, 'duplicate')
      return
    }
    const early = this.#refusalOf(row, action, payload, call.receivedAt)
    if (early || !row) {
      this.#refuse(call, early ?? unknownAction)
      return
    }
    const check = checkPayload(connection.protocol, row, payload, connection.tolerates)
    for (const kind of check.quirks) metrics.quirk(kind)
    if (check.refusal) {
      // The station may throw a refused billing message away.
      if (row.billing) this.#refuseKept(call, check.refusal)
      else this.#refuse(call, check.refusal)
      return
    }
    call.answer = typeof row.answer === 'function' ? row.answer(payload, connection.flags) : row.answer
    if (call.answer === 'local') this.#answerLocally(call, row)
    else if (call.answer === 'decision' && !config.servedLanes.has(row.lane)) this.#refuse(call, unservedAction)
    else this.#log(call, row, check.violations)
  }

  /** What speaks against a call whatever its payload says (OCPP 2.0.1 part 4 §4.3). */
  #refusalOf(row: ActionRow | null, action: string, payload: Payload, now: number): Refusal | null {
    const { registration, gate, protocol, ports } = this.#connection
    if (!row) return unknownAction
    if (row.sender === 'csms') return { code: 'NotSupported', message: 'Only the CSMS sends this action' }
    if (registration === 'Accepted' || gate.admits(action, payload, now)) return null
    // Told while it starts, before it boots: it is evidence, and may not come again.
    if (protocol === 'ocpp1.6' && registration !== 'Rejected' && action === 'SecurityEventNotification') {
      ports.metrics.quirk('event-before-boot')
      return null
    }
    return { code: 'SecurityError', message: 'The station is not accepted' }
  }

  #answerLocally(call: PendingCall, row: ActionRow): void {
    this.#connection.heartbeats++
    const payload = row.logAnswer?.(call.payload, { now: new Date() }) ?? {}
    this.#answerAtOnce(call, resultFrame(call.messageId, payload), 'answered')
  }

  #log(call: PendingCall, row: ActionRow, violations: number): void {
    const connection = this.#connection
    const extra: Headers = { action: call.action, messageId: call.messageId, answer: call.answer }
    if (row.action === 'StartTransaction') {
      // Given out before it is logged, so that every id a station was told is in the log.
      call.transactionId = randomInt(1, 2 ** 31)
      extra.transactionId = String(call.transactionId)
    }
    if (violations > 0) extra.violations = String(violations)
    this.#keep(call)
    const topic = connection.ports.topics.lane(row.lane)
    const record = connection.toRecord(topic, 'call', call.frame, extra, call.sequence)
    this.#append(record, call.answer === 'log', () => this.#logged(call, row))
  }

  #logged(call: PendingCall, row: ActionRow): void {
    if (call.phase.kind !== 'logging') return
    if (call.answer === 'decision') {
      call.phase = { kind: 'deciding', since: performance.now() }
      return
    }
    const payload = row.logAnswer?.(call.payload, { now: new Date() }) ?? {}
    this.#answer(call, resultFrame(call.messageId, payload), 'answered')
    this.#pump()
  }

  /** Logs the answer that is given without a decision, so that the service can settle what it decided otherwise. */
  #settle(call: PendingCall, row: ActionRow, safeAnswer: NonNullable<ActionRow['safeAnswer']>): void {
    const connection = this.#connection
    const answer = safeAnswer(call.payload, {
      now: new Date(),
      registration: connection.registration,
      heartbeatIntervalSeconds: connection.station.heartbeatIntervalSeconds,
      ...(call.transactionId !== undefined && { transactionId: call.transactionId }),
    })
    call.phase = settling
    const value = JSON.stringify({ sequence: call.sequence, answer })
    const record = connection.toRecord(connection.ports.topics.lane(row.lane), 'answered', value, namesOf(call))
    this.#append(record, false, () => {
      connection.ports.metrics.safeAnswer(call.action)
      this.#answerWithResult(call, answer, 'safe-answer')
    })
  }

  #answerWithResult(call: PendingCall, payload: Payload, type: 'answer' | 'safe-answer'): void {
    this.#answer(call, resultFrame(call.messageId, payload), type === 'answer' ? 'answered' : 'safe')
    if (call.action === 'BootNotification') this.#noteRegistration(payload)
    this.#connection.journal.answer(type, namesOf(call), payload)
    this.#pump()
  }

  #answerWithError(call: PendingCall, refusal: Refusal): void {
    const text = errorFrame(this.#connection.protocol, call.messageId, refusal)
    this.#answer(call, text, 'refused')
    this.#connection.journal.sent('error', text, namesOf(call))
    this.#pump()
  }

  /** What the station is told at its boot is its registration from then on. */
  #noteRegistration({ status }: Payload): void {
    if (status === 'Accepted' || status === 'Pending' || status === 'Rejected') this.#connection.registration = status
  }

  #broken(frame: Buffer, error: OcppError): void {
    const { protocol, journal } = this.#connection
    const { messageId } = error
    const text = errorFrame(protocol, messageId, error)
    journal.stray('broken', frame, error.message)
    // 1.6 has no id for a message without one, so there is nobody to answer; 2.0.1 says -1 (part 4 §4.2.3).
    if (messageId === '-1' && protocol === 'ocpp1.6') return
    this.#answerAtOnce(toPending(frame, { messageId, payload: {} }, null, this.#connection.lastSeenAt), text, 'refused')
  }

  #refuseBinary(frame: Buffer): void {
    const { protocol, journal } = this.#connection
    const message = 'A message is text, not binary'
    journal.stray('broken', frame, message)
    if (protocol !== 'ocpp1.6')
      this.#connection.send(errorFrame(protocol, '-1', { code: 'RpcFrameworkError', message }))
  }

  #refuse(call: PendingCall, refusal: Refusal): void {
    const text = errorFrame(this.#connection.protocol, call.messageId, refusal)
    this.#connection.journal.refusal(call.frame, namesOf(call), toNote(refusal), text)
    this.#answerAtOnce(call, text, 'refused')
  }

  /** The frame is in the log before the station is told. */
  #refuseKept(call: PendingCall, refusal: Refusal): void {
    const { journal, ports } = this.#connection
    this.#keep(call)
    const extra = { direction: 'in', note: toNote(refusal), ...namesOf(call) }
    const masked = journal.masked(call.frame)
    const record = this.#connection.toRecord(ports.topics.sent, 'refused', masked, extra, call.sequence)
    this.#append(record, true, () => this.#answerWithError(call, refusal))
  }

  #keep(call: PendingCall): void {
    call.sequence = this.#connection.nextSequence()
    this.#pending.add(call)
    this.#connection.watch()
  }

  #append(record: OutgoingRecord, linger: boolean, onLogged: () => void): void {
    this.#connection.lane.append(record, linger).then(onLogged, (cause: unknown) => this.#connection.logFailed(cause))
  }

  #answerAtOnce(call: PendingCall, text: string, outcome: CallOutcome): void {
    if (this.#pending.size > 0) {
      this.#answer(call, text, outcome)
      this.#pending.add(call)
      return
    }
    this.#connection.ports.metrics.call(call.action, call.answer, outcome)
    this.#connection.send(text)
  }

  #answer(call: PendingCall, text: string, outcome: CallOutcome): void {
    call.phase = { kind: 'answered', text, outcome }
  }

  /** Sends what is ready, then reads what waited for its place. */
  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    this.#pending.sendReady()
    for (let next = this.#inbox[0]; next && this.#hasRoom(next); next = this.#inbox[0]) {
      this.#inbox.shift()
      this.#inboxBytes -= next.length
      this.#read(next)
      this.#pending.sendReady()
    }
    this.#isPumping = false
    if (this.#inbox.length === 0) this.#connection.resume()
    this.#connection.callsMoved()
  }
}

const unknownAction: Refusal = { code: 'NotImplemented', message: 'The action is not known' }
const unservedAction: Refusal = { code: 'NotSupported', message: 'No service decides on this action' }

const toNote = ({ code, message }: Refusal) => `${code}: ${message}`
const namesOf = ({ action, messageId }: PendingCall) => ({ action, messageId })
