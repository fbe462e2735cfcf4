import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Ownership, ProvenProfile, StationChannels } from '@busbar/backbone'
import { newId } from '@busbar/store'
import { Claims, type Seat } from './claims.js'
import { closeCodes } from './config.js'
import { Connection } from './connection/connection.js'
import type { Claim, ConnectionPorts } from './connection/ports.js'
import { openSocketServer, type SocketServer, type StationSocket } from './connection/station-socket.js'
import { drain, paceOf } from './drain.js'
import { destroySocket } from './listener.js'
import { Pulse } from './pulse.js'
import type { Admitted } from './upgrade/upgrade.js'

export interface ResidentsPorts extends Omit<ConnectionPorts, 'busy' | 'isLeaseFresh' | 'isAwake'> {
  ownership: Ownership
  channels: StationChannels
}

/** An upgrade that was admitted, before it is answered. */
export interface Caller {
  admitted: Admitted
  request: IncomingMessage
  socket: Duplex
  head: Buffer
}

const roundMs = 5_000
const housekeepingMs = 1_000
/** For those that do not answer our close, and once more for the word of their end to be logged. */
export const stopWithinMs = 2_000

/** The stations that are connected here, each with its place on the station's channel. */
export class Residents {
  readonly #ports: ResidentsPorts
  readonly #connectionPorts: ConnectionPorts
  readonly #sockets: SocketServer
  readonly #claims: Claims
  readonly #seats = new Map<Connection, Seat>()
  readonly #newest = new Map<string, Connection>()
  readonly #closing = new Set<Promise<void>>()
  #pulse: Pulse | null = null
  #keptHouseAt = 0

  constructor(ports: ResidentsPorts) {
    const { config } = ports
    this.#ports = ports
    this.#claims = new Claims(ports, this.#seats)
    this.#connectionPorts = {
      ...ports,
      busy: new Set(),
      isLeaseFresh: () => this.#claims.isFresh,
      isAwake: () => this.#claims.isAwake,
    }
    this.#sockets = openSocketServer(config, (socket, code, reason) => this.#closed(socket, code, reason))
  }

  async start(): Promise<void> {
    const { config } = this.#ports
    await this.#claims.start(config.leaseRenewMs)
    const beatEveryMs = Math.min(roundMs, (config.pingIntervalSeconds * 1000) / 6)
    this.#pulse = new Pulse(config.tickMs, beatEveryMs, this.#connectionPorts.busy, (now) => this.#tick(now))
  }

  /**
   * Takes the station over for a connection that is to be opened, or else given back.
   * @returns a higher profile that the station has proved, at this gateway or another: it is not to be let in
   */
  async take({ station, protocol, proven }: Admitted): Promise<Seat | ProvenProfile> {
    const newcomer = { connectionId: newId(), protocol, proven, profileSetAt: station.profileSetAt }
    const seat = await this.#claims.take(station.id, newcomer)
    // An epoch is the time of the store, in microseconds.
    if ('claim' in seat && seat.claim.isOwner) {
      this.#ports.metrics.clockOffset.set(Date.now() / 1_000 - seat.claim.epoch / 1_000_000)
    }
    return seat
  }

  /** @param claim the connection's own, which may be a later one than it was seated with */
  async giveBack(seat: Seat, stationId: string, { epoch, isOwner }: Claim = seat.claim): Promise<void> {
    await this.#claims.giveBack({ stationId, epoch, isOwner })
    // Not before: a command that was dispatched to it until now is to be heard, and told as unsent.
    await this.#claims.leave(seat, stationId)
  }

  /** Answers the upgrade. @returns false when the library refused it, and told the caller so */
  open(seat: Seat, { admitted, request, socket, head }: Caller): boolean {
    const { station, protocol } = admitted
    const { logger, metrics } = this.#ports
    // The library listens itself, and two listeners take an array for each station.
    socket.off('error', destroySocket)
    const webSocket = this.#sockets.upgrade(request, socket, head, protocol)
    if (!webSocket) return false
    const connection = new Connection(seat.connectionId, webSocket, admitted, seat.claim, this.#connectionPorts)
    webSocket.connection = connection
    const older = this.#newest.get(station.id)
    // The store of owners tells it, unless one of the two is not in there.
    if (older && !(older.isOwner && connection.isOwner)) {
      older.close(closeCodes.takenOver, 'A newer connection took over')
    }
    this.#newest.set(station.id, connection)
    this.#seats.set(connection, seat)
    this.#pulse?.add(connection)
    this.#claims.attach(seat, connection)
    metrics.connections.inc({ protocol })
    logger.debug({ station: station.id, connection: connection.id, protocol }, 'a station connected')
    return true
  }

  /** @param stillHolds whether a path of certificates, from the station's to its anchor, may be used */
  closeRevoked(stillHolds: (path: readonly string[]) => boolean): void {
    for (const connection of this.#seats.keys()) {
      const { certificatePath: path } = connection
      if (path.length > 0 && !stillHolds(path)) connection.close(closeCodes.policy, 'The certificate is revoked')
    }
  }

  /** Closes all, each after what is in flight at it. */
  async drain(paceMs?: number): Promise<void> {
    const { config, logger } = this.#ports
    const { size } = this.#seats
    logger.info({ connections: size }, 'the gateway is leaving')
    const pace = paceMs ?? paceOf(size, config.drainSeconds * 1000)
    await drain(this.#seats.keys(), { paceMs: pace, finishWithinMs: config.finishWithinMs })
  }

  /** After `drain`: cuts who does not answer. Resolves once the end of each is logged, or time is up. */
  async stop(): Promise<void> {
    const patience = performance.now() + stopWithinMs
    while (this.#seats.size > 0 && performance.now() < patience) await pause(10)
    for (const connection of this.#seats.keys()) connection.cut('stop')
    while (this.#seats.size > 0) await pause(10)
    this.#pulse?.stop()
    await Promise.race([Promise.all(this.#closing).then(() => this.#ports.kept.settled()), pause(stopWithinMs)])
  }

  /** After this the gateway owns nothing. */
  async leave(): Promise<void> {
    await this.#claims.stop()
  }

  #tick(now: number): void {
    this.#claims.tick(now)
    if (now - this.#keptHouseAt < housekeepingMs) return
    const { metrics, budget, kept } = this.#ports
    this.#keptHouseAt = now
    metrics.unowned.set(this.#claims.unownedCount)
    metrics.bytesInHand.set(budget.used)
    metrics.flush()
    kept.retry()
  }

  #closed({ connection }: StationSocket, code: number, reason: string): void {
    const seat = connection && this.#seats.get(connection)
    if (!seat) return
    const { logger, metrics } = this.#ports
    const stationId = connection.station.id
    this.#pulse?.delete(connection)
    this.#claims.forget(connection)
    this.#seats.delete(connection)
    if (this.#newest.get(stationId) === connection) this.#newest.delete(stationId)
    metrics.connections.dec({ protocol: connection.protocol })
    logger.debug({ station: stationId, connection: connection.id, code, reason }, 'a station disconnected')
    const closed = Promise.all([
      connection.socketClosed(code, reason),
      this.giveBack(seat, stationId, connection),
    ]).then(
      () => {},
      (cause: unknown) => logger.error({ err: cause, station: stationId }, 'a close failed'),
    )
    this.#closing.add(closed)
    void closed.then(() => this.#closing.delete(closed))
  }
}
