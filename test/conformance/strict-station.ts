import { randomUUID } from 'node:crypto'
import type { ConnectionOptions } from 'node:tls'
import WebSocket from 'ws'
import { type BusbarFrame, mustFitSchema, readFrame } from './second-validator.js'

export type Protocol = 'ocpp1.6' | 'ocpp2.0.1'
type Call = Extract<BusbarFrame, { kind: 'call' }>
type Answer = Exclude<BusbarFrame, { kind: 'call' }>

/** How a station comes to the door. */
export interface Door {
  /** Up to the station's id. */
  url: string
  id: string
  protocol: Protocol
  /** Offered subprotocols, where they are not just the protocol; an empty list sends no header. */
  subprotocols?: readonly string[]
  /** Bytes of the Basic password; none sends no Authorization header. */
  password?: string | Buffer
  /** The Basic user name, where it differs from the id. */
  username?: string
  tls?: ConnectionOptions
}

/** The door stayed shut. `status` is null where not even the TLS handshake succeeded. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number | null

  constructor(status: number | null, reason: string) {
    super(`Refused: ${status ?? reason}`)
    this.status = status
  }
}

export interface Exchange {
  direction: 'to-csms' | 'to-station'
  action: string
  /** From the CALL of the station to the answer; null for a CALL of Busbar. */
  answeredMs: number | null
}

const stepMs = 10_000

/**
 * A station that plays a rigid sequence, as the certification tool does: a frame of Busbar that the case does not
 * foresee fails it, and so does one that a second validator refuses.
 */
export class StrictStation {
  readonly id: string
  /** Every exchange that came to its end. */
  readonly exchanges: Exchange[] = []
  /** Of Busbar's CALLs, in the order they came. */
  readonly messageIds: string[] = []
  /** What the upgrade was answered with. */
  readonly subprotocol: string
  /** Resolves once the socket is gone. */
  readonly closed: Promise<number>
  readonly #protocol: Protocol
  readonly #socket: WebSocket
  readonly #calls: Call[] = []
  readonly #answers: Answer[] = []
  readonly #problems: string[] = []
  readonly #asked = new Map<string, { action: string; at: number }>()
  #wake: () => void = () => {}

  /** @throws Refused */
  static connect(door: Door): Promise<StrictStation> {
    const { url, id, protocol, subprotocols = [protocol], password, username = id, tls } = door
    const authorization =
      password === undefined
        ? {}
        : {
            Authorization: `Basic ${Buffer.concat([Buffer.from(`${username}:`), Buffer.from(password)]).toString('base64')}`,
          }
    const socket = new WebSocket(`${url}/${encodeURIComponent(id)}`, [...subprotocols], {
      headers: authorization,
      perMessageDeflate: false,
      ...tls,
    })
    return new Promise((resolve, reject) => {
      socket.on('unexpected-response', (_request, response) => {
        reject(new Refused(response.statusCode ?? 0, 'no WebSocket'))
        response.destroy()
      })
      socket.on('error', (cause) => reject(new Refused(null, cause.message)))
      // Listening starts before the socket is handed out: the first frame may come with the upgrade's bytes.
      const station = new StrictStation(id, protocol, socket)
      socket.on('open', () => {
        Object.defineProperty(station, 'subprotocol', { value: socket.protocol })
        resolve(station)
      })
    })
  }

  private constructor(id: string, protocol: Protocol, socket: WebSocket) {
    this.id = id
    this.subprotocol = ''
    this.#protocol = protocol
    this.#socket = socket
    socket.on('message', (data: Buffer) => this.#receive(data.toString('utf8'), performance.now()))
    this.closed = new Promise((resolve) => socket.on('close', resolve))
  }

  /** What spoke against Busbar until now; empty for a case that went as foreseen. */
  get problems(): string[] {
    return [
      ...this.#problems,
      ...this.#calls.map(({ action }) => `unforeseen CALL ${action}`),
      ...this.#answers.map(({ messageId }) => `unforeseen answer to ${messageId}`),
    ]
  }

  /** T→action; the CSMS must answer with a CALLRESULT that fits its schema. @returns its payload */
  async sends<Result = Record<string, unknown>>(action: string, payload: object, messageId?: string): Promise<Result> {
    mustFitSchema(this.#protocol, action, 'Request', payload)
    const answer = await this.#ask(action, payload, messageId)
    if (answer.kind === 'error') throw new Error(`${action} was answered with CALLERROR ${answer.code}`)
    return answer.payload as Result
  }

  /** T→action, which may break every rule; the CSMS must answer with a CALLERROR. @returns its code */
  async sendsInVain(action: string, payload: unknown): Promise<string> {
    const answer = await this.#ask(action, payload)
    if (answer.kind === 'result') throw new Error(`${action} was answered with a CALLRESULT`)
    return answer.code
  }

  /** Any text. An answer to it, if it is a CALL, is unforeseen. */
  sendsText(text: string): void {
    this.#socket.send(text)
  }

  /** T→action, and nobody waits for the answer: the link is gone before. */
  sendsAndVanishes(action: string, payload: object): void {
    this.#socket.send(JSON.stringify([2, randomUUID(), action, payload]), () => this.#socket.terminate())
  }

  /** C→action must be the next CALL; answered with this. @returns the payload of the CALL */
  async isAsked<Request = Record<string, unknown>>(action: string, result: object): Promise<Request> {
    const call = await this.isCalled(action)
    this.answers(call, result)
    return call.payload as Request
  }

  answers({ action, messageId }: Call, result: object): void {
    mustFitSchema(this.#protocol, action, 'Response', result)
    this.sendsText(JSON.stringify([3, messageId, result]))
  }

  /** C→action must be the next CALL; it is answered with a CALLERROR. */
  async refuses(action: string, code: string): Promise<void> {
    const call = await this.isCalled(action)
    this.sendsText(JSON.stringify([4, call.messageId, code, 'as the case has it', {}]))
  }

  /** C→action must be the next CALL; the case answers, or does not. */
  async isCalled(action: string, withinMs = stepMs): Promise<Call> {
    const call = await this.#await(`CALL ${action}`, () => this.#calls.shift(), withinMs)
    if (call.action !== action) throw new Error(`Expected ${action}, got ${call.action}`)
    return call
  }

  /** Stops reading, pings included, as a station that hangs. */
  freezes(): void {
    this.#socket.pause()
  }

  /** As a pulled cable: no closing handshake. */
  vanishes(): void {
    this.#socket.terminate()
  }

  async leaves(): Promise<void> {
    if (this.#socket.isPaused) this.#socket.terminate()
    else this.#socket.close()
    await this.closed
  }

  #ask(action: string, payload: unknown, messageId: string = randomUUID()): Promise<Answer> {
    this.#asked.set(messageId, { action, at: performance.now() })
    this.sendsText(JSON.stringify([2, messageId, action, payload]))
    return this.#await(`the answer to ${action}`, () => {
      const index = this.#answers.findIndex((answer) => answer.messageId === messageId)
      return index < 0 ? undefined : this.#answers.splice(index, 1)[0]
    })
  }

  async #await<T>(what: string, take: () => T | undefined, withinMs = stepMs): Promise<T> {
    const deadline = performance.now() + withinMs
    for (;;) {
      const found = take()
      if (found) return found
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`Not within ${withinMs} ms: ${what}`)
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        timer = setTimeout(resolve, left)
      })
      clearTimeout(timer)
    }
  }

  #receive(text: string, at: number): void {
    try {
      const frame = readFrame(this.#protocol, text)
      if (frame.kind === 'call') this.#receiveCall(frame)
      else this.#receiveAnswer(frame, at)
    } catch (cause) {
      this.#problems.push(cause instanceof Error ? cause.message : String(cause))
    }
    this.#wake()
  }

  #receiveCall(call: Call): void {
    this.#calls.push(call)
    this.messageIds.push(call.messageId)
    this.exchanges.push({ direction: 'to-station', action: call.action, answeredMs: null })
    mustFitSchema(this.#protocol, call.action, 'Request', call.payload)
  }

  #receiveAnswer(answer: Answer, at: number): void {
    this.#answers.push(answer)
    const asked = this.#asked.get(answer.messageId)
    if (!asked) return
    this.exchanges.push({ direction: 'to-csms', action: asked.action, answeredMs: at - asked.at })
    if (answer.kind === 'result') mustFitSchema(this.#protocol, asked.action, 'Response', answer.payload)
  }
}
