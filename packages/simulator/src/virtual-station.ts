import { randomUUID } from 'node:crypto'
import type { Payload } from '@busbar/ocpp'
import type { Controls, Dialect, Message } from './dialect.js'
import { Ledger, type LedgerCall, type Session } from './ledger.js'
import { patientRetry, pause, type RetryPolicy } from './retry.js'
import { type Answer, type CallHandler, ifOffline, NoAnswer, StationSocket } from './station-socket.js'
import { dialect16 } from './v16.js'
import { dialect201 } from './v201.js'

export interface VirtualStationOptions {
  id: string
  protocol: 'ocpp1.6' | 'ocpp2.0.1'
  /** Gateways in the order they are tried, each up to the id: `ws://localhost:9000/ocpp`. */
  urls: string[]
  password?: string
  connectors?: number
  retry?: RetryPolicy
  callTimeoutMs?: number
  /** Between pings (WebSocketPingInterval); a connection on which nothing came since the last one is given up. */
  pingMs?: number
  /** What it takes to answer a command. */
  answerMs?: number
  /** Before the first reconnect; doubled up to ten times, with jitter. */
  reconnectMs?: number
  settings?: Record<string, string>
}

export interface ChargeOptions {
  connector?: number
  token: string
  powerW?: number
  readings?: number
  /** Between two readings. */
  intervalMs?: number
}

interface QueuedMessage {
  /** Built when it is sent: in 1.6 the transaction's id is known only once its start was answered. */
  build: () => Message
  /** Runs before the next message is built. */
  done: (call: LedgerCall) => void
  attempts: number
}

/**
 * A charging station without the metal: boots, reports, charges, obeys, and keeps a ledger of it all.
 * Transaction messages are queued while offline and leave in order, each repeated as the retry policy says.
 */
export class VirtualStation {
  readonly id: string
  readonly ledger = new Ledger()
  readonly settings: Map<string, string>
  readonly connectors: number
  readonly #options: Required<Pick<VirtualStationOptions, 'retry' | 'callTimeoutMs' | 'reconnectMs'>> &
    VirtualStationOptions
  readonly #dialect: Dialect
  /** Lifetime registers in Wh, by connector. */
  readonly #registersWh: number[]
  readonly #stops = new Map<Session, AbortController>()
  readonly #queue: QueuedMessage[] = []
  readonly #life = new AbortController()
  #socket: StationSocket | null = null
  #accepted = false
  #onAccepted: () => void = () => {}
  #draining = false
  #heartbeat: NodeJS.Timeout | undefined
  #heartbeatSeconds = 300

  constructor(options: VirtualStationOptions) {
    this.#options = { retry: patientRetry, callTimeoutMs: 30_000, reconnectMs: 500, ...options }
    this.id = options.id
    this.connectors = options.connectors ?? 1
    this.#dialect = options.protocol === 'ocpp1.6' ? dialect16() : dialect201()
    this.settings = new Map(Object.entries(options.settings ?? this.#dialect.settings))
    this.#registersWh = Array.from({ length: this.connectors + 1 }, () => 100_000)
  }

  /** The connection of the moment; null while offline. */
  get socket(): StationSocket | null {
    return this.#socket?.isOpen ? this.#socket : null
  }

  get isOnline(): boolean {
    return this.#accepted && this.socket !== null
  }

  /** Messages not yet answered, the one in flight included. */
  get queued(): number {
    return this.#queue.length
  }

  /** Connects, boots until accepted, reports its connectors; from then on it reconnects by itself. */
  async start(): Promise<void> {
    const accepted = new Promise<void>((resolve) => {
      this.#onAccepted = resolve
    })
    await this.#connect()
    await this.#boot().catch(ifOffline)
    void this.#stayConnected()
    await accepted
  }

  /** Ends sessions' timers and the connection; nothing more is sent. */
  async stop(): Promise<void> {
    this.#life.abort()
    this.#onAccepted()
    clearInterval(this.#heartbeat)
    for (const stop of this.#stops.values()) stop.abort()
    const socket = this.#socket
    socket?.close(1000, 'stopped')
    await socket?.closed
  }

  /** Cuts the connection as a pulled cable does; the station notices and reconnects. */
  dropConnection(): void {
    this.#socket?.terminate()
  }

  /** A call outside the queue. @throws NoAnswer */
  async call({ action, payload }: Message): Promise<Answer> {
    const socket = this.socket
    if (!socket) throw new NoAnswer('offline')
    const entry = { at: new Date(), action, payload, attempts: 1, messageId: randomUUID() }
    try {
      const answer = await socket.call(action, payload, entry.messageId)
      const outcome = answer.kind
      this.ledger.calls.push({ ...entry, outcome, answer: outcome === 'result' ? answer.payload : null })
      return answer
    } catch (cause) {
      this.ledger.calls.push({ ...entry, outcome: 'no-answer', answer: null })
      throw cause
    }
  }

  /**
   * One whole session: plug in, authorize, charge, leave.
   * @returns the session, its registers in Wh as the station counted them
   */
  async charge({ connector = 1, token, powerW = 11_000, readings = 5, intervalMs = 1_000 }: ChargeOptions) {
    await this.#report(connector, 'Occupied')
    await this.call(this.#dialect.authorize(token)).catch(ifOffline)
    const session = this.begin(connector, token)
    const stop = this.#stops.get(session)?.signal ?? this.#life.signal
    await this.#report(connector, 'Charging')
    for (let reading = 0; reading < readings && !stop.aborted; reading += 1) {
      await pause(intervalMs, stop)
      void this.meter(session, Math.round((powerW * intervalMs) / 3_600_000), powerW)
    }
    await this.end(session, stop.aborted ? 'Remote' : 'Local')
    await this.#report(connector, 'Finishing')
    await this.#report(connector, 'Available')
    return session
  }

  /** Starts a session; its message goes through the queue. */
  begin(connector: number, token: string): Session {
    const session: Session = {
      connector,
      token,
      transactionId: null,
      startedAt: new Date(),
      endedAt: null,
      meterStartWh: this.#registersWh[connector] ?? 0,
      meterStopWh: null,
      tokenStatus: null,
    }
    this.ledger.sessions.push(session)
    this.#stops.set(session, new AbortController())
    this.#enqueue(
      () => this.#dialect.begin(session, session.startedAt),
      ({ answer }) => {
        if (!answer) return
        session.transactionId = this.#dialect.givenTransactionId(answer) ?? session.transactionId
        session.tokenStatus = this.#dialect.tokenStatus(answer)
      },
    )
    return session
  }

  /** Adds energy and reports the reading. */
  meter(session: Session, addedWh: number, powerW: number): Promise<LedgerCall> {
    const register = (this.#registersWh[session.connector] ?? 0) + addedWh
    this.#registersWh[session.connector] = register
    const at = new Date()
    return new Promise((done) => this.#enqueue(() => this.#dialect.meter(session, at, register, powerW), done))
  }

  /** Ends the session; resolves once its message was answered or given up. */
  end(session: Session, reason = 'Local'): Promise<LedgerCall> {
    const at = new Date()
    session.endedAt = at
    session.meterStopWh = this.#registersWh[session.connector] ?? session.meterStartWh
    this.#stops.delete(session)
    return new Promise((done) => this.#enqueue(() => this.#dialect.end(session, at, reason), done))
  }

  async #connect(): Promise<void> {
    const { id, protocol, urls, password, callTimeoutMs, pingMs, reconnectMs } = this.#options
    for (let attempt = 0; !this.#life.signal.aborted; attempt += 1) {
      const url = urls[attempt % urls.length] ?? ''
      try {
        this.#socket = await StationSocket.open({
          url,
          id,
          protocols: [protocol],
          callTimeoutMs,
          handlers: this.#handlers(),
          ...(password === undefined ? {} : { password }),
          ...(pingMs === undefined ? {} : { pingMs }),
        })
        return
      } catch {
        if (this.#life.signal.aborted) return
        const backOff = reconnectMs * 2 ** Math.min(attempt, 10)
        await pause(Math.min(backOff, 60_000) * (0.5 + Math.random() / 2), this.#life.signal)
      }
    }
  }

  async #stayConnected(): Promise<void> {
    while (!this.#life.signal.aborted) {
      await this.#socket?.closed
      clearInterval(this.#heartbeat)
      if (this.#life.signal.aborted) return
      await pause(this.#options.reconnectMs * Math.random(), this.#life.signal)
      await this.#connect()
      if (!this.#accepted) await this.#boot().catch(ifOffline)
      if (this.#life.signal.aborted) return
      this.#beat()
      void this.#drain()
    }
  }

  async #boot(): Promise<void> {
    while (!this.#life.signal.aborted) {
      const answer = await this.call(this.#dialect.boot())
      const { status, interval } = (answer.kind === 'result' ? answer.payload : {}) as Payload
      const seconds = Number(interval) || 60
      if (status === 'Accepted') {
        this.#accepted = true
        this.#onAccepted()
        this.#heartbeatSeconds = seconds
        this.#beat()
        break
      }
      await pause(seconds * 1_000, this.#life.signal)
    }
    for (let connector = 1; connector <= this.connectors; connector += 1) await this.#report(connector, 'Available')
    void this.#drain()
  }

  #beat(): void {
    clearInterval(this.#heartbeat)
    this.#heartbeat = setInterval(() => {
      void this.call({ action: 'Heartbeat', payload: {} }).catch(ifOffline)
    }, this.#heartbeatSeconds * 1_000)
  }

  /** A status that was missed while offline is not sent later: the next one replaces it. */
  async #report(connector: number, status: Parameters<Dialect['status']>[1]): Promise<void> {
    if (this.isOnline) await this.call(this.#dialect.status(connector, status, new Date())).catch(ifOffline)
  }

  #enqueue(build: () => Message, done: (call: LedgerCall) => void): void {
    this.#queue.push({ build: once(build), done, attempts: 0 })
    void this.#drain()
  }

  async #drain(): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    try {
      for (let head = this.#queue[0]; head && this.isOnline; head = this.#queue[0]) {
        const call = await this.#deliver(head)
        if (!call) return
        this.#queue.shift()
        this.ledger.calls.push(call)
        head.done(call)
      }
    } finally {
      this.#draining = false
    }
  }

  /** @returns null when the connection went away: the message stays at the head */
  async #deliver(head: QueuedMessage): Promise<LedgerCall | null> {
    const { attempts, intervalMs, countsCuts = false } = this.#options.retry
    const { action, payload } = head.build()
    const at = new Date()
    for (let socket = this.socket; socket; socket = this.socket) {
      const messageId = randomUUID()
      const answer = await socket.call(action, payload, messageId).catch(ifOffline)
      if (answer || socket.isOpen || countsCuts) head.attempts += 1
      const tried = { at, action, payload, attempts: head.attempts, messageId }
      if (answer?.kind === 'result') return { ...tried, outcome: 'result', answer: answer.payload }
      if (head.attempts >= attempts) return { ...tried, outcome: 'discarded', answer: null }
      if (socket.isOpen) await pause(intervalMs * head.attempts, this.#life.signal)
    }
    return null
  }

  /** What it does on command, each noted in the ledger first. */
  #handlers(): Record<string, CallHandler> {
    const noted = Object.entries(this.#dialect.commands(this.#controls())).map(([action, handler]) => {
      const note: CallHandler = async (payload, messageId) => {
        this.ledger.commands.push({ at: new Date(), messageId, action, payload })
        if (this.#options.answerMs !== undefined) await pause(this.#options.answerMs, this.#life.signal)
        return handler(payload, messageId)
      }
      return [action, note] as const
    })
    return Object.fromEntries(noted)
  }

  #controls(): Controls {
    const { id, connectors, settings, ledger } = this
    const open = () => ledger.sessions.filter(({ endedAt }) => endedAt === null)
    return {
      id,
      connectors,
      settings,
      startSession: (connector, token) => setImmediate(() => void this.charge({ connector, token }).catch(ifOffline)),
      stopSession: (transactionId) => {
        const session = open().find((each) => each.transactionId === transactionId)
        if (session) this.#stops.get(session)?.abort()
        return session !== undefined
      },
      sessionOn: (connector) => open().find((each) => each.connector === connector),
      sessionBy: (transactionId) => ledger.sessions.find((each) => each.transactionId === transactionId),
      reboot: () => {
        this.#accepted = false
        setTimeout(() => this.#socket?.close(1000, 'reboot'), 50)
      },
      later: (message) => setImmediate(() => void this.call(message).catch(ifOffline)),
      boot: () => this.#dialect.boot(),
    }
  }
}

function once(build: () => Message): () => Message {
  let message: Message | null = null
  return () => {
    message ??= build()
    return message
  }
}
