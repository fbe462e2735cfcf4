import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Payload, parseFrame, resultFrame } from '@busbar/ocpp'
import { StationSocket } from '@busbar/simulator'
import type { System } from '../support/system.js'
import { mustFitSchema } from './second-validator.js'

type Protocol = 'ocpp1.6' | 'ocpp2.0.1'

interface Answer {
  kind: 'result' | 'error'
  messageId: string
  payload: Payload
  code: string
}

/** After the last step nothing more may come for so long. */
const silenceMs = 1_000
const stepMs = 10_000

/**
 * A station that plays a rigid sequence, as the certification tool does: a frame of Busbar that the case does not
 * foresee fails it, and so does one that a second validator refuses.
 */
export class StrictStation {
  readonly id: string
  readonly #protocol: Protocol
  readonly #socket: StationSocket
  readonly #calls: { messageId: string; action: string; payload: Payload }[] = []
  readonly #answers: Answer[] = []
  readonly #problems: string[] = []
  readonly #asked = new Map<string, string>()
  #read = 0

  /** @throws UpgradeRefused */
  static async connect(
    system: System,
    protocol: Protocol,
    id: string,
    password: string,
    rest: { username?: string } = {},
  ): Promise<StrictStation> {
    const url = system.urls[0] ?? ''
    const socket = await StationSocket.open({ url, id, password, protocols: [protocol], ...rest })
    // A CALL of the CSMS is answered by the case's own step, not by the socket.
    socket.otherwise(() => () => new Promise(() => {}))
    return new StrictStation(id, protocol, socket)
  }

  private constructor(id: string, protocol: Protocol, socket: StationSocket) {
    this.id = id
    this.#protocol = protocol
    this.#socket = socket
  }

  /** T→action; the CSMS must answer with a CALLRESULT that fits its schema. @returns its payload */
  async sends<Result = Record<string, unknown>>(action: string, payload: Payload): Promise<Result> {
    const answer = await this.#ask(action, payload)
    if (answer.kind === 'error') throw new Error(`${action} was answered with CALLERROR ${answer.code}`)
    mustFitSchema(this.#protocol, action, 'Response', answer.payload)
    return answer.payload as Result
  }

  /** T→action; the CSMS must answer with a CALLERROR. @returns its code */
  async sendsInVain(action: string, payload: Payload): Promise<string> {
    const answer = await this.#ask(action, payload)
    if (answer.kind === 'result') throw new Error(`${action} was answered with a CALLRESULT`)
    return answer.code
  }

  /** C→action must be the next CALL; answered with this. @returns the payload of the CALL */
  async isAsked<Request = Record<string, unknown>>(action: string, result: Payload): Promise<Request> {
    const call = await this.#await(`CALL ${action}`, () => this.#calls.shift())
    if (call.action !== action) throw new Error(`Expected ${action}, got ${call.action}`)
    mustFitSchema(this.#protocol, action, 'Request', call.payload)
    this.#socket.send(resultFrame(call.messageId, result))
    return call.payload as Request
  }

  async reconnects(system: System, password: string): Promise<StrictStation> {
    this.#socket.close()
    await this.#socket.closed
    return StrictStation.connect(system, this.#protocol, this.id, password)
  }

  /** The case is over: nothing more may come. */
  async isDone(): Promise<void> {
    await sleep(silenceMs)
    this.#readFrames()
    for (const { action } of this.#calls) this.#problems.push(`unforeseen CALL ${action}`)
    for (const { messageId } of this.#answers) this.#problems.push(`unforeseen answer to ${messageId}`)
    this.#socket.close()
    if (this.#problems.length > 0) throw new Error(this.#problems.join('; '))
  }

  #ask(action: string, payload: Payload): Promise<Answer> {
    mustFitSchema(this.#protocol, action, 'Request', payload)
    const messageId = randomUUID()
    this.#asked.set(messageId, action)
    this.#socket.send(JSON.stringify([2, messageId, action, payload]))
    return this.#await(`the answer to ${action}`, () => {
      const index = this.#answers.findIndex((answer) => answer.messageId === messageId)
      return index < 0 ? undefined : this.#answers.splice(index, 1)[0]
    })
  }

  async #await<T>(what: string, take: () => T | undefined): Promise<T> {
    const deadline = Date.now() + stepMs
    for (;;) {
      this.#readFrames()
      const found = take()
      if (found) return found
      if (Date.now() > deadline) throw new Error(`Not within ${stepMs} ms: ${what}`)
      await sleep(5)
    }
  }

  #readFrames(): void {
    const incoming = this.#socket.frames.filter(({ direction }) => direction === 'in')
    for (const { text } of incoming.slice(this.#read)) {
      const frame = parseFrame(text, this.#protocol)
      if (frame.kind === 'call') this.#calls.push(frame)
      else if (frame.kind === 'result') this.#answers.push({ ...frame, code: '' })
      else if (frame.kind === 'error') this.#answers.push({ ...frame, payload: {} })
      else this.#problems.push(`unforeseen frame ${text}`)
    }
    this.#read = incoming.length
  }
}
