import type { ActionRow, AnswerKind, Payload } from '@busbar/ocpp'
import type { CallOutcome } from '../metrics.js'
import type { Connection } from './connection.js'

/** A call between its receipt and its answer. */
export interface PendingCall {
  messageId: string
  /** As received; the log gets these bytes. */
  frame: Buffer
  /** Of the actions table, `unknown` where it has none. */
  action: string
  row: ActionRow | null
  payload: Payload
  answer: AnswerKind
  /** Number of its record; -1 for a call that is not logged. */
  sequence: number
  /** Milliseconds, monotonic. */
  receivedAt: number
  /** Given out with a 1.6 StartTransaction. */
  transactionId: number | undefined
  phase: CallPhase
}

export type CallPhase =
  | { kind: 'logging' }
  /** In the log; a service decides. */
  | { kind: 'deciding'; since: number }
  /** The safe answer is on its way into the log: from here on it is the answer, whatever the service says. */
  | { kind: 'settling' }
  | { kind: 'answered'; text: string; outcome: CallOutcome }

const logging: CallPhase = { kind: 'logging' }

/** @param row null for what is answered with a CALLERROR */
export function toPending(
  frame: Buffer,
  { messageId, payload }: { messageId: string; payload: Payload },
  row: ActionRow | null,
  receivedAt: number,
): PendingCall {
  return {
    messageId,
    frame,
    action: row?.action ?? 'unknown',
    row,
    payload,
    answer: 'local',
    sequence: -1,
    receivedAt,
    transactionId: undefined,
    phase: logging,
  }
}

/** The calls of one station that have no answer yet. Order: answers leave in the order of the calls. */
export class PendingCalls {
  readonly #connection: Connection
  readonly #calls: PendingCall[] = []

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get size(): number {
    return this.#calls.length
  }

  /** A copy: looking at one may end others. */
  list(): PendingCall[] {
    return [...this.#calls]
  }

  find(sequence: number): PendingCall | undefined {
    return this.#calls.find((call) => call.sequence === sequence)
  }

  /** The same frame again while the first waits: both get the one answer. */
  hasSame({ messageId, frame }: PendingCall): boolean {
    return this.#calls.some((call) => call.messageId === messageId && call.frame.equals(frame))
  }

  add(call: PendingCall): void {
    this.#calls.push(call)
  }

  /** Sends the answers whose turn has come. */
  sendReady(): void {
    const { budget, metrics } = this.#connection.ports
    for (let call = this.#calls[0]; call?.phase.kind === 'answered'; call = this.#calls[0]) {
      this.#calls.shift()
      budget.free(call.frame.length)
      metrics.call(call.action, call.answer, call.phase.outcome)
      if (call.answer !== 'local') metrics.observeAnswer(call.answer, (performance.now() - call.receivedAt) / 1000)
      this.#connection.send(call.phase.text)
    }
  }

  /** The socket is gone: nobody waits any more. */
  giveUp(): void {
    const { budget, metrics } = this.#connection.ports
    for (const call of this.#calls.splice(0)) {
      budget.free(call.frame.length)
      metrics.call(call.action, call.answer, 'unanswered')
    }
  }
}
