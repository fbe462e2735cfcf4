import type { ChannelMessage, Headers, Newcomer, OutgoingRecord } from '@busbar/backbone'
import type { Payload, Protocol, Registration, StationFlags } from '@busbar/ocpp'
import { UnavailableError } from '@busbar/store'
import { closeCodes } from '../config.js'
import { registrationOf } from '../upgrade/station-directory.js'
import type { Admitted } from '../upgrade/upgrade.js'
import { Gate } from './gate.js'
import { Inbound } from './inbound.js'
import { Journal } from './journal.js'
import { Lane } from './lane.js'
import { Outbound, type StationAnswer } from './outbound.js'
import type { Claim, ConnectionPorts } from './ports.js'
import type { StationSocket } from './station-socket.js'

type ConnectionState =
  | { kind: 'open' }
  /** This gateway leaves: no new calls of ours, what is in flight is finished. */
  | { kind: 'leaving' }
  /** The closing handshake runs; frames that still come are logged and not answered. */
  | { kind: 'closing' }
  | { kind: 'closed' }

const open: ConnectionState = { kind: 'open' }

/** What it came in with; without what is counted once, for there is one of these for each station. */
type Credentials = Pick<Admitted, 'address' | 'proven' | 'secretSlot' | 'certificatePath'>

/** One station on one socket. */
export class Connection {
  readonly id: string
  readonly ports: ConnectionPorts
  readonly station: Admitted['station']
  readonly protocol: Protocol
  readonly inbound: Inbound
  readonly lane: Lane
  registration: Registration
  /** Since the last presence record. */
  heartbeats = 0
  /** Milliseconds, monotonic, like every time below. */
  lastSeenAt: number
  readonly #socket: StationSocket
  readonly #openedAt: number
  readonly #credentials: Credentials
  #claim: Claim
  #state: ConnectionState = open
  #sequence = 0
  #outbound: Outbound | null = null
  #gate: Gate | null = null
  #journal: Journal | null = null
  #hasSpoken = false
  #listeningSince: number
  #pingedAt: number
  #presenceAt: number

  constructor(id: string, socket: StationSocket, admitted: Admitted, claim: Claim, ports: ConnectionPorts) {
    this.id = id
    this.ports = ports
    this.station = admitted.station
    this.protocol = admitted.protocol
    this.registration = registrationOf(admitted.station)
    this.inbound = new Inbound(this)
    this.lane = new Lane(ports.log)
    this.#socket = socket
    const { address, proven, secretSlot, certificatePath } = admitted
    this.#credentials = { address, proven, secretSlot, certificatePath }
    this.#claim = claim
    this.#openedAt = performance.now()
    this.lastSeenAt = this.#openedAt
    this.#listeningSince = this.#openedAt
    this.#pingedAt = this.#openedAt
    this.#presenceAt = this.#openedAt
    this.#logConnected()
  }

  get epoch(): number {
    return this.#claim.epoch
  }

  get isOwner(): boolean {
    return this.#claim.isOwner
  }

  /** Fingerprints from the station's certificate to the anchor; empty without one. */
  get certificatePath(): readonly string[] {
    return this.#credentials.certificatePath
  }

  /** As it registers with the store of owners. */
  get newcomer(): Omit<Newcomer, 'gatewayId'> {
    const { proven } = this.#credentials
    return { connectionId: this.id, protocol: this.protocol, proven, profileSetAt: this.station.profileSetAt }
  }

  get isOpen(): boolean {
    return this.#state.kind === 'open'
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed'
  }

  /** Nothing waits for an answer in either direction. */
  get isIdle(): boolean {
    return this.inbound.isIdle && (this.#outbound?.isIdle ?? true)
  }

  get flags(): StationFlags {
    return { tariff: this.station.switches.tariff === true }
  }

  /** The station's preset: wrong messages of any action are let pass. */
  get tolerates(): boolean {
    return this.station.switches.tolerateInvalid === true
  }

  get gate(): Gate {
    this.#gate ??= new Gate(this.ports.config.triggerWindowSeconds * 1000)
    return this.#gate
  }

  get journal(): Journal {
    this.#journal ??= new Journal(this)
    return this.#journal
  }

  // What the socket tells

  received(frame: Buffer, isBinary: boolean): void {
    this.lastSeenAt = performance.now()
    this.#hasSpoken = true
    this.inbound.receive(frame, isBinary)
  }

  /** A pong, or a ping of the station's. */
  showedLife(): void {
    this.lastSeenAt = performance.now()
  }

  /** The socket is gone. Resolves once everything it brought is in the log, and the word of its end is on the way. */
  async socketClosed(code: number, reason: string): Promise<void> {
    this.#state = { kind: 'closed' }
    this.ports.busy.delete(this)
    this.ports.metrics.closed(code)
    this.#outbound?.close()
    this.inbound.giveUp()
    await this.lane.settled()
    const value = JSON.stringify({ code, reason, heartbeats: this.heartbeats })
    this.ports.kept.append(this.toRecord(this.ports.topics.lane('stations'), 'disconnected', value))
  }

  // What the station's channel tells

  deliver(message: ChannelMessage): void {
    if (message.kind === 'answer') {
      if (message.connectionId === this.id) this.inbound.decided(message)
    } else if (message.kind === 'command') {
      // Sent to the epoch it was dispatched to, or to nobody.
      if (message.epoch !== this.epoch) {
        this.ports.metrics.lost('command')
        return
      }
      this.#outbound ??= new Outbound(this)
      this.#outbound.enqueue(message)
      if (!this.#outbound.isIdle) this.watch()
    } else if (message.kind === 'takeover') {
      if (message.connectionId === this.id || message.epoch <= this.epoch) return
      this.close(closeCodes.takenOver, 'A newer connection took over')
    } else if (message.kind === 'registration') {
      this.registration = message.registration
    }
  }

  /** Registered again, after Redis or this process was away. */
  claimed(epoch: number): void {
    this.#claim = { epoch, isOwner: true }
    this.#logConnected()
  }

  disowned(): void {
    this.#claim = { ...this.#claim, isOwner: false }
  }

  /** Why nothing may be sent to the station at this moment, or null. */
  refusalToSend(): string | null {
    if (this.#state.kind !== 'open') return 'The connection is closing'
    return this.isOwner && this.ports.isLeaseFresh() ? null : 'The gateway may no longer own the station'
  }

  // Calls in both directions

  answered(frame: StationAnswer): boolean {
    return this.#outbound?.answered(frame) ?? false
  }

  /** A call of ours was answered. */
  callAnswered(action: string, request: Payload, response: Payload): void {
    if (this.registration !== 'Accepted') this.gate.answered(action, request, response, performance.now())
  }

  /** Calls of the station were answered: one of ours may have waited for that. */
  callsMoved(): void {
    this.#outbound?.next()
    if (this.isIdle) this.ports.busy.delete(this)
  }

  /** Something is pending: look at it every tick. */
  watch(): void {
    if (!this.isClosed) this.ports.busy.add(this)
  }

  sweep(now: number): void {
    this.#outbound?.sweep(now)
    this.inbound.sweep(now)
  }

  // The socket

  send(text: string): void {
    if (this.#state.kind !== 'open' && this.#state.kind !== 'leaving') return
    this.#socket.send(text)
    if (this.#socket.bufferedAmount > this.ports.config.maxUnreadBytes) this.cut('unread')
  }

  pause(): void {
    if (!this.#socket.isPaused) this.#socket.pause()
  }

  resume(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  close(code: number, reason: string): void {
    if (this.#state.kind !== 'open' && this.#state.kind !== 'leaving') return
    this.#state = { kind: 'closing' }
    // A paused socket would never see the answer to our close.
    this.resume()
    this.#socket.close(code, reason)
  }

  /** Without a closing handshake, for a peer that does not listen. */
  cut(reason: string): void {
    this.ports.logger.info({ station: this.station.id, connection: this.id, reason }, 'a socket was cut')
    if (this.#state.kind !== 'closed') this.#state = { kind: 'closing' }
    this.#socket.terminate()
  }

  /** The log did not take a record of this station: it has to queue, and comes back when the log does. */
  logFailed(cause: unknown): void {
    if (cause instanceof UnavailableError) {
      this.close(closeCodes.tryLater, 'Try again later')
      return
    }
    if (!this.isClosed) this.ports.logger.error({ err: cause, station: this.station.id }, 'the log refuses a record')
    this.close(closeCodes.bug, 'Internal error')
  }

  /** This gateway leaves: finishes what is in flight. Call it until the connection is idle, or time is up. */
  leave(): void {
    if (this.#state.kind !== 'open') return
    this.#state = { kind: 'leaving' }
    this.#outbound?.stopSending('The gateway is leaving')
  }

  /** Ping, silence, presence; every few seconds. */
  beat(now: number): void {
    const { config } = this.ports
    if (this.isClosed) return
    // An unread socket cannot show life.
    if (this.#socket.isPaused) this.forgiveSilence(now)
    if (now - Math.max(this.lastSeenAt, this.#listeningSince) > this.#silentAfterMs()) {
      this.cut('silent')
      return
    }
    if (now - this.#pingedAt >= config.pingIntervalSeconds * 1000) this.ping(now)
    const isStranger = this.registration === null && !this.#hasSpoken
    if (isStranger && now - this.#openedAt >= config.firstCallWithinSeconds * 1000) {
      this.close(closeCodes.policy, 'Nothing was said')
      return
    }
    if (this.heartbeats > 0 && now - this.#presenceAt >= config.presenceIntervalSeconds * 1000) this.#logPresence(now)
  }

  /** Nobody listened until now. */
  forgiveSilence(now: number): void {
    this.#listeningSince = now
  }

  ping(now: number): void {
    this.#pingedAt = now
    if (this.#state.kind === 'open') this.#socket.ping()
  }

  // Records

  nextSequence(): number {
    return this.#sequence++
  }

  /** @param extra what this type of record carries besides the headers of all */
  toRecord(
    topic: string,
    type: string,
    value: Buffer | string,
    extra: Headers = {},
    sequence = this.nextSequence(),
  ): OutgoingRecord {
    const headers: Headers = {
      type,
      station: this.station.id,
      connection: this.id,
      epoch: String(this.epoch),
      sequence: String(sequence),
      receivedAt: this.ports.clock.timestamp(),
      protocol: this.protocol,
      gateway: this.ports.gatewayId,
    }
    return { topic, key: this.station.id, value, headers: Object.assign(headers, extra) }
  }

  #logConnected(): void {
    const { address: remoteAddress, proven, secretSlot, certificatePath } = this.#credentials
    const certificateFingerprint = certificatePath[0] ?? null
    const value = JSON.stringify({ remoteAddress, securityProfile: proven.profile, secretSlot, certificateFingerprint })
    const record = this.toRecord(this.ports.topics.lane('stations'), 'connected', value)
    // Most stations speak at once: their first frame shares the request, and the batch. Frames may follow it unacknowledged.
    this.ports.log.append(record, { linger: 'alone' }).catch((cause: unknown) => this.logFailed(cause))
  }

  #logPresence(now: number): void {
    const { heartbeats } = this
    this.heartbeats = 0
    this.#presenceAt = now
    const record = this.toRecord(this.ports.topics.lane('stations'), 'presence', JSON.stringify({ heartbeats }))
    // Not on the lane: a station that only heartbeats stays connected while the log is away.
    this.ports.log.append(record, { linger: 'alone' }).catch(() => {
      this.heartbeats += heartbeats
    })
  }

  #silentAfterMs(): number {
    const { silentAfterSeconds } = this.ports.config
    // Some stations never answer a ping; for them a missed Heartbeat is the measure.
    const seconds =
      this.station.switches.ignoreMissingPong === true
        ? Math.max(silentAfterSeconds, 2 * this.station.heartbeatIntervalSeconds + 60)
        : silentAfterSeconds
    return seconds * 1000
  }
}
