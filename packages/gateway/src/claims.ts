import {
  type ChannelListener,
  type ChannelMessage,
  leaseMs,
  type Newcomer,
  type Ownership,
  type ProvenProfile,
  type StationChannels,
  stationChannel,
} from '@busbar/backbone'
import { UnavailableError } from '@busbar/store'
import type { Logger } from 'pino'
import { closeCodes } from './config.js'
import type { Connection } from './connection/connection.js'
import type { Claim } from './connection/ports.js'
import type { GatewayMetrics } from './metrics.js'
import { noticedSleepMs } from './pulse.js'

/** A connection's place on the station's channel. One object for each station that is connected: there are many. */
export class Seat implements ChannelListener {
  readonly connectionId: string
  claim: Claim = { epoch: 0, isOwner: false }
  /** The connection, or what came before there was one. */
  #holder: Connection | ChannelMessage[] = []

  constructor(connectionId: string) {
    this.connectionId = connectionId
  }

  receive(message: ChannelMessage): void {
    if (Array.isArray(this.#holder)) this.#holder.push(message)
    else this.#holder.deliver(message)
  }

  /** Hands over what came so far and whatever comes. */
  attach(connection: Connection): void {
    const early = this.#holder
    this.#holder = connection
    if (Array.isArray(early)) for (const message of early) connection.deliver(message)
  }
}

export interface ClaimsPorts {
  gatewayId: string
  ownership: Ownership
  channels: StationChannels
  logger: Logger
  metrics: Pick<GatewayMetrics, 'leaseLosses'>
}

/** Registered again at most so many per tick, when Redis, its data or this process was away. */
const perTick = 500

/**
 * Which stations this gateway owns. One lease for the gateway, one epoch per connection. Whoever loses the lease owns
 * nothing: its connections are registered again, each once its socket has shown that it lives, because registering takes
 * the station from whoever has it.
 */
export class Claims {
  readonly #ports: ClaimsPorts
  readonly #connections: ReadonlyMap<Connection, Seat>
  readonly #unowned = new Set<Connection>()
  /** Milliseconds, monotonic. */
  #renewedAt = -Infinity
  #disownedAt = 0
  /** When this process last knew that it had heard everything until then. */
  #awakeAt = performance.now()
  #renewal: NodeJS.Timeout | undefined
  #isReclaiming = false
  #isCatchingUp = false

  constructor(ports: ClaimsPorts, connections: ReadonlyMap<Connection, Seat>) {
    this.#ports = ports
    this.#connections = connections
  }

  /** Connections that are served and not owned. */
  get unownedCount(): number {
    return this.#unowned.size
  }

  get isFresh(): boolean {
    return performance.now() - this.#renewedAt < leaseMs
  }

  /**
   * Commands that came while this process did not run may be older than the takeover that comes after them: none is sent
   * before all that was published meanwhile has been heard.
   */
  get isAwake(): boolean {
    return performance.now() - this.#awakeAt < noticedSleepMs
  }

  async start(everyMs: number): Promise<void> {
    await this.#renew()
    this.#renewal = setInterval(() => void this.#renew(), everyMs)
  }

  /** After this the gateway owns nothing. */
  async stop(): Promise<void> {
    clearInterval(this.#renewal)
    await this.#unlessAway(this.#ports.ownership.releaseGateway(this.#ports.gatewayId))
  }

  /**
   * Listens for the station and takes it over. Redis away: the clock is the epoch, and commands find nobody.
   * @returns a higher profile that the station has proved, at this gateway or another: it is not to be let in
   */
  async take(stationId: string, newcomer: Omit<Newcomer, 'gatewayId'>): Promise<Seat | ProvenProfile> {
    const { channels, ownership, gatewayId } = this.#ports
    const seat = new Seat(newcomer.connectionId)
    await channels.subscribe(stationChannel(stationId), seat)
    try {
      const registered = await ownership.register(stationId, { gatewayId, ...newcomer })
      if ('boundTo' in registered) {
        await this.leave(seat, stationId)
        return registered.boundTo
      }
      seat.claim = { epoch: registered.epoch, isOwner: true }
    } catch (cause) {
      if (!(cause instanceof UnavailableError)) {
        await this.leave(seat, stationId)
        throw cause
      }
      seat.claim = { epoch: Date.now() * 1000, isOwner: false }
    }
    return seat
  }

  /** What was taken for this connection. */
  attach(seat: Seat, connection: Connection): void {
    if (!seat.claim.isOwner) this.#unowned.add(connection)
    seat.attach(connection)
  }

  /** Nothing comes to this seat any more. */
  leave(seat: Seat, stationId: string): Promise<void> {
    return this.#ports.channels.unsubscribe(stationChannel(stationId), seat)
  }

  /** The connection is gone, the station may have a newer one. */
  async giveBack({ stationId, epoch, isOwner }: { stationId: string } & Claim): Promise<void> {
    if (isOwner) await this.#unlessAway(this.#ports.ownership.unregister(stationId, epoch))
  }

  forget(connection: Connection): void {
    this.#unowned.delete(connection)
  }

  /** Notices that this process slept, or a lost lease, and registers again what is not owned. */
  tick(now: number): void {
    if (now - this.#awakeAt < noticedSleepMs) this.#awakeAt = now
    else if (!this.#isCatchingUp) void this.#catchUp()
    if (!this.isFresh) {
      this.#disownOnce(now)
      return
    }
    if (this.#unowned.size > 0 && !this.#isReclaiming) void this.#reclaim()
  }

  async #catchUp(): Promise<void> {
    this.#isCatchingUp = true
    const heard = this.#ports.channels.heard().then(() => true)
    if (await this.#unlessAway(heard)) this.#awakeAt = performance.now()
    this.#isCatchingUp = false
  }

  /** Once for each lease that was lost. */
  #disownOnce(now: number): void {
    if (this.#disownedAt >= this.#renewedAt) return
    this.#disownedAt = now
    this.#ports.metrics.leaseLosses.inc()
    this.#ports.logger.warn({ connections: this.#connections.size }, 'the lease was lost')
    for (const connection of this.#connections.keys()) {
      connection.disowned()
      connection.ping(now)
      this.#unowned.add(connection)
    }
  }

  async #reclaim(): Promise<void> {
    this.#isReclaiming = true
    const living = [...this.#unowned].filter(({ isOpen, lastSeenAt }) => isOpen && lastSeenAt > this.#disownedAt)
    await Promise.all(living.slice(0, perTick).map((connection) => this.#register(connection)))
    this.#isReclaiming = false
  }

  async #register(connection: Connection): Promise<void> {
    const { ownership, gatewayId } = this.#ports
    const stationId = connection.station.id
    const registered = await this.#unlessAway(ownership.register(stationId, { gatewayId, ...connection.newcomer }))
    if (!registered) return
    if ('boundTo' in registered) {
      this.#unowned.delete(connection)
      connection.close(closeCodes.policy, 'The station has proved a higher security profile')
      return
    }
    // It may have closed meanwhile.
    if (this.#unowned.delete(connection)) connection.claimed(registered.epoch)
    else await this.giveBack({ stationId, ...registered, isOwner: true })
  }

  async #renew(): Promise<void> {
    const startedAt = performance.now()
    const isKnown = await this.#unlessAway(this.#ports.ownership.renewLease(this.#ports.gatewayId))
    if (isKnown === null) return
    // A lease that had lapsed, or that Redis lost with all its data, is noticed before the new one counts.
    if (!(isKnown && this.isFresh)) this.#disownOnce(performance.now())
    this.#renewedAt = startedAt
  }

  async #unlessAway<Result>(work: Promise<Result>): Promise<Result | null> {
    try {
      return await work
    } catch (cause) {
      if (!(cause instanceof UnavailableError)) this.#ports.logger.error({ err: cause }, 'the ownership failed')
      return null
    }
  }
}
