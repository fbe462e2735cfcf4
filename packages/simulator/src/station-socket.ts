import { randomUUID } from 'node:crypto'
import { callFrame, errorFrame, OcppError, type Payload, type Protocol, parseFrame, resultFrame } from '@busbar/ocpp'
import WebSocket from 'ws'

export type Answer =
  | { kind: 'result'; payload: Payload }
  | { kind: 'error'; code: string; description: string; details: Payload }

/** The call got no answer: the time ran out or the socket closed first. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/** Offline is a station's ordinary life; anything else is a mistake of ours. */
export function ifOffline(cause: unknown): undefined {
  if (cause instanceof NoAnswer) return undefined
  throw cause
}

/** The server refused the upgrade with an HTTP status. */
export class UpgradeRefused extends Error {
  override readonly name = 'UpgradeRefused'
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>

  constructor(status: number, headers: NodeJS.Dict<string | string[]>) {
    super(`The upgrade was refused with ${status}`)
    this.status = status
    this.headers = headers
  }
}

export interface StationSocketOptions {
  /** Up to the station's id, which is appended: `ws://localhost:9000/ocpp`. */
  url: string
  id: string
  /** Offered subprotocols in the station's order; an empty list sends no header. */
  protocols: string[]
  password?: string
  /** The Basic user name, where it should differ from the id. */
  username?: string
  headers?: Record<string, string>
  callTimeoutMs?: number
  /** Between pings of the station; a socket on which nothing came since the last one is cut. None without. */
  pingMs?: number
  /** Of CALLs, by action; in place before the first one can come. */
  handlers?: Readonly<Record<string, CallHandler>>
}

/** Answers a CALL of the CSMS; an OcppError becomes a CALLERROR. */
export type CallHandler = (payload: Payload, messageId: string) => Payload | Promise<Payload>

export interface SeenFrame {
  direction: 'in' | 'out'
  text: string
  at: Date
}

interface PendingCall {
  resolve: (answer: Answer) => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

/** The bare OCPP-J layer of a station: calls, answers, and raw text where a test wants to misbehave. */
export class StationSocket {
  readonly protocol: Protocol
  /** Every frame in the order seen. */
  readonly frames: SeenFrame[] = []
  /** Resolves once the socket is gone. */
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #socket: WebSocket
  readonly #callTimeoutMs: number
  readonly #pending = new Map<string, PendingCall>()
  readonly #handlers: Map<string, CallHandler>
  #otherwise: (action: string) => CallHandler = refuseUnknown

  /** @throws UpgradeRefused, or the socket's error when nobody listens */
  static open(options: StationSocketOptions): Promise<StationSocket> {
    const { url, id, protocols, password, username = id, headers = {} } = options
    const authorization =
      password === undefined
        ? {}
        : { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
    const socket = new WebSocket(`${url}/${encodeURIComponent(id)}`, protocols, {
      headers: { ...authorization, ...headers },
      perMessageDeflate: false,
      handshakeTimeout: options.callTimeoutMs ?? defaultTimeoutMs,
    })
    return new Promise((resolve, reject) => {
      socket.on('unexpected-response', (_request, response) => {
        reject(new UpgradeRefused(response.statusCode ?? 0, response.headers))
        response.destroy()
      })
      socket.on('error', reject)
      // Listening starts before the socket is handed out: the first frame may come with the upgrade's bytes.
      const station = new StationSocket(socket, options)
      socket.on('open', () => resolve(station))
    })
  }

  private constructor(socket: WebSocket, options: StationSocketOptions) {
    this.#socket = socket
    this.#handlers = new Map(Object.entries(options.handlers ?? {}))
    this.#callTimeoutMs = options.callTimeoutMs ?? defaultTimeoutMs
    this.protocol = (options.protocols[0] ?? 'ocpp1.6') as Protocol
    socket.on('upgrade', () => {
      Object.defineProperty(this, 'protocol', { value: socket.protocol || this.protocol })
    })
    socket.on('message', (data: Buffer) => void this.#receive(data.toString('utf8')))
    if (options.pingMs !== undefined) this.#pingEvery(options.pingMs)
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        for (const call of this.#pending.values()) {
          clearTimeout(call.timer)
          call.reject(new NoAnswer(`The socket closed with ${code}`))
        }
        this.#pending.clear()
        resolve({ code, reason: reason.toString('utf8') })
      })
    })
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  /** CALLs of the CSMS in the order they came. */
  get receivedCalls(): { action: string; payload: Payload; messageId: string }[] {
    return this.frames.flatMap(({ direction, text }) => {
      if (direction === 'out') return []
      const frame = parseFrame(text, this.protocol)
      return frame.kind === 'call' ? [frame] : []
    })
  }

  on(action: string, handler: CallHandler): void {
    this.#handlers.set(action, handler)
  }

  /** Handles what no `on` names. */
  otherwise(handler: (action: string) => CallHandler): void {
    this.#otherwise = handler
  }

  /** @throws NoAnswer when the time ran out or the socket closed */
  call(action: string, payload: Payload, messageId: string = randomUUID()): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(new NoAnswer('The socket is closed'))
      const timer = setTimeout(() => {
        this.#pending.delete(messageId)
        reject(new NoAnswer(`No answer to ${action} within ${this.#callTimeoutMs} ms`))
      }, this.#callTimeoutMs)
      this.#pending.set(messageId, { resolve, reject, timer })
      this.send(callFrame(messageId, action, payload))
    })
  }

  /** Sends any text as it is. */
  send(text: string): void {
    this.frames.push({ direction: 'out', text, at: new Date() })
    this.#socket.send(text)
  }

  close(code = 1000, reason = ''): void {
    this.#socket.close(code, reason)
  }

  /** As a pulled cable: no closing handshake. */
  terminate(): void {
    this.#socket.terminate()
  }

  /** Stops reading, as a station that hangs. */
  pause(): void {
    this.#socket.pause()
  }

  #pingEvery(ms: number): void {
    let isAlive = true
    const showLife = () => {
      isAlive = true
    }
    for (const sign of ['open', 'message', 'ping', 'pong']) this.#socket.on(sign, showLife)
    const timer = setInterval(() => {
      if (!isAlive) return this.terminate()
      isAlive = false
      if (this.isOpen) this.#socket.ping()
    }, ms)
    this.#socket.on('close', () => clearInterval(timer))
  }

  async #receive(text: string): Promise<void> {
    this.frames.push({ direction: 'in', text, at: new Date() })
    const frame = parseFrame(text, this.protocol)
    if (frame.kind === 'result' || frame.kind === 'error') {
      const call = this.#pending.get(frame.messageId)
      if (!call) return
      this.#pending.delete(frame.messageId)
      clearTimeout(call.timer)
      call.resolve(frame)
    }
    if (frame.kind === 'call') await this.#answer(frame)
  }

  async #answer({ messageId, action, payload }: { messageId: string; action: string; payload: Payload }) {
    const handler = this.#handlers.get(action) ?? this.#otherwise(action)
    const text = await Promise.resolve()
      .then(() => handler(payload, messageId))
      .then((result) => resultFrame(messageId, result))
      .catch((error: unknown) => {
        const cause = error instanceof OcppError ? error : new OcppError('InternalError', String(error))
        return errorFrame(this.protocol, messageId, cause)
      })
    if (this.isOpen) this.send(text)
  }
}

const defaultTimeoutMs = 30_000

function refuseUnknown(action: string): CallHandler {
  return () => {
    throw new OcppError('NotImplemented', `This station does not know ${action}`)
  }
}
