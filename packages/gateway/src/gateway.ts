import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Backbone, RefusedAttempt } from '@busbar/backbone'
import { type Database, newId, type Vault } from '@busbar/store'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { ByteBudget } from './byte-budget.js'
import { Claims, type Seat } from './claims.js'
import { closeCodes, type GatewayConfig, gatewayDefaults } from './config.js'
import { Connection } from './connection/connection.js'
import type { Claim, ConnectionPorts } from './connection/ports.js'
import { openSocketServer, type StationSocket } from './connection/station-socket.js'
import { type Doors, openDoors } from './doors.js'
import { drain, paceOf } from './drain.js'
import { KeptRecords } from './kept-records.js'
import { writeRefusal } from './listener.js'
import { GatewayMetrics } from './metrics.js'
import { Pulse } from './pulse.js'
import { RefusedAttempts } from './refused.js'
import type { HandshakeFault } from './tls/secure-listener.js'
import { Trust } from './tls/trust.js'
import { TrustedProxies } from './upgrade/address.js'
import { TokenBucket } from './upgrade/admission.js'
import { parseStationPath } from './upgrade/path.js'
import type { UpgradePorts } from './upgrade/ports.js'
import { ProfileLocks } from './upgrade/profile-locks.js'
import { StationDirectory } from './upgrade/station-directory.js'
import { Throttle } from './upgrade/throttle.js'
import { readTransport } from './upgrade/transport.js'
import { Turns } from './upgrade/turns.js'
import { type Admitted, admit, comeBackLater, type Refusal, toRefusal } from './upgrade/upgrade.js'
import { WallClock } from './wall-clock.js'

export interface GatewayPorts {
  database: Database
  backbone: Backbone
  vault: Vault
  log: Logger
  metrics: Registry
}

export interface Gateway {
  id: string
  port: number
  /** Where stations come in over TLS; null without. */
  tlsPort: number | null
  /** Takes stations. */
  readonly ready: boolean
  /** Callers turned away, the latest first. */
  refused(): RefusedAttempt[]
  /** Reads the server's certificates anew; open sockets stay. */
  reloadCertificates(): Promise<void>
  /** Takes no station any more and closes all sockets, each after what is in flight at it. */
  drain(options?: { paceMs?: number }): Promise<void>
  /** Drains, and ends everything. */
  stop(): Promise<void>
}

const headerBytes = { direct: 8 * 1024, behindProxy: 64 * 1024 }
const roundMs = 5_000
const housekeepingMs = 1_000

/** What passes by itself; of the others the operator is told. */
const passing = new Set<string>(['handshake', 'path', 'shed', 'log-away', 'store-away', 'draining'])

/** Who fails so speaks TLS, and may well be a station. */
const spokenFaults = new Set<HandshakeFault>(['tls-version', 'tls-suite', 'tls-distrust'])

type GatewayState = { kind: 'open' } | { kind: 'draining'; done: Promise<void> }

/**
 * Starts the WebSocket edge.
 * @param settings what differs from `gatewayDefaults`
 * @throws Error when the address cannot be taken or a proxy range is none
 */
export async function startGateway(settings: Partial<GatewayConfig>, ports: GatewayPorts): Promise<Gateway> {
  const config: GatewayConfig = { ...gatewayDefaults, ...settings }
  const { database, backbone, vault } = ports
  const id = newId()
  const logger = ports.log.child({ gateway: id })
  const metrics = new GatewayMetrics(ports.metrics)
  const proxies = new TrustedProxies(config.trustedProxies)
  const kept = new KeptRecords(backbone.log, logger, metrics)
  const refused = new RefusedAttempts(logger)
  const trust = new Trust(database, logger)
  const connections = new Map<Connection, Seat>()
  const byStation = new Map<string, Connection>()
  const closing = new Set<Promise<void>>()
  const claims = new Claims(
    { gatewayId: id, ownership: backbone.ownership, channels: backbone.channels, logger, metrics },
    connections,
  )
  const throttle = new Throttle(config.failuresPerMinute)
  const upgradePorts: UpgradePorts = {
    config,
    directory: new StationDirectory(database, config.credentialsWithinMs),
    vault,
    trust,
    locks: new ProfileLocks(),
    throttle,
    turns: new Turns((address) => throttle.isSuspect(address, performance.now())),
    bucket: new TokenBucket(config.upgradesPerSecond, config.upgradeBurst, performance.now()),
    isLogAvailable: () => backbone.log.available,
    now: () => performance.now(),
    today: () => new Date(),
  }
  const connectionPorts: ConnectionPorts = {
    gatewayId: id,
    config,
    log: backbone.log,
    topics: backbone.topics,
    vault,
    logger,
    metrics,
    budget: new ByteBudget(config.maxBytesInHand),
    clock: new WallClock(),
    kept,
    busy: new Set(),
    isLeaseFresh: () => claims.isFresh,
    isAwake: () => claims.isAwake,
  }
  const sockets = openSocketServer(config, onClosed)
  let state: GatewayState = { kind: 'open' }
  let keptHouseAt = 0

  await trust.start(config.trustPollMs)
  trust.onChange(() => {
    for (const connection of connections.keys()) {
      const { certificatePath: path } = connection
      if (path.length > 0 && !trust.stillHolds(path)) connection.close(closeCodes.policy, 'The certificate is revoked')
    }
  })
  const stopAnswering = await refused.answerQueries(backbone.channels, id)
  await claims.start(config.leaseRenewMs)
  const beatEveryMs = Math.min(roundMs, (config.pingIntervalSeconds * 1000) / 6)
  const pulse = new Pulse(config.tickMs, beatEveryMs, connectionPorts.busy, (now) => {
    claims.tick(now)
    if (now - keptHouseAt < housekeepingMs) return
    keptHouseAt = now
    metrics.unowned.set(claims.unownedCount)
    metrics.bytesInHand.set(connectionPorts.budget.used)
    metrics.flush()
    kept.retry()
  })
  let doors: Doors
  try {
    const { direct, behindProxy } = headerBytes
    const maxHeaderBytes = config.trustedProxies.length > 0 ? behindProxy : direct
    doors = await openDoors(
      { ...config, maxHeaderBytes },
      {
        trust,
        logger,
        onUpgrade,
        onUnboundUpgrade,
        onHandshakeFault,
        onCertificates: (certificates) => metrics.serverCertificates(certificates),
      },
    )
  } catch (cause) {
    pulse.stop()
    trust.stop()
    await stopAnswering()
    await claims.stop()
    throw cause
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    upgrade(request, socket, head).catch((cause: unknown) => {
      logger.error({ err: cause }, 'an upgrade failed')
      refuse(socket, comeBackLater('store-away', ''), '')
    })
  }

  function onUnboundUpgrade(request: IncomingMessage): void {
    const { address } = readTransport(request, proxies, config.certificateHeader)
    countRefused({ reason: 'connection-header', stationId: parseStationPath(request.url ?? '') ?? '' }, address)
  }

  function onHandshakeFault(reason: HandshakeFault, address: string): void {
    metrics.failedHandshake(reason)
    // The rest may be anything that found the port.
    if (spokenFaults.has(reason)) refused.add('', reason, address)
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const transport = readTransport(request, proxies, config.certificateHeader)
    const { address, isProxied, ignoredHeaders } = transport
    for (const name of ignoredHeaders) metrics.ignoredHeader(name)
    if (state.kind === 'draining') return refuse(socket, comeBackLater('draining', ''), address)
    if (!isProxied && sizeOf(request.rawHeaders) > headerBytes.direct) return writeRefusal(socket, 431)
    const { method, headers, url: target = '' } = request
    const result = await admit({ method, target, headers, ...transport }, upgradePorts)
    if ('status' in result) return refuse(socket, result, address)
    if (!socket.destroyed) await open(result, request, socket, head)
  }

  async function open(admitted: Admitted, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { station, protocol, securityProfile, provenAt } = admitted
    const connectionId = newId()
    const proven = { profile: securityProfile, at: provenAt }
    const seat = await claims.take(station.id, { connectionId, protocol, proven, profileSetAt: station.profileSetAt })
    if ('profile' in seat) {
      upgradePorts.locks.proved(station.id, seat)
      return refuse(socket, toRefusal('profile', station.id), admitted.address)
    }
    // An epoch is the time of the store, in microseconds.
    if (seat.claim.isOwner) metrics.clockOffset.set(Date.now() / 1_000 - seat.claim.epoch / 1_000_000)
    if (state.kind === 'draining' || socket.destroyed) {
      await leave(seat, station.id)
      return refuse(socket, comeBackLater('draining', station.id), admitted.address)
    }
    const webSocket = sockets.upgrade(request, socket, head, protocol)
    if (!webSocket) {
      metrics.refusedUpgrade('handshake')
      return await leave(seat, station.id)
    }
    const connection = new Connection(connectionId, webSocket, admitted, seat.claim, connectionPorts)
    webSocket.connection = connection
    const older = byStation.get(station.id)
    // The store of owners tells it, unless one of the two is not in there.
    if (older && !(older.isOwner && connection.isOwner))
      older.close(closeCodes.takenOver, 'A newer connection took over')
    byStation.set(station.id, connection)
    connections.set(connection, seat)
    pulse.add(connection)
    claims.attach(seat, connection)
    refused.delete(station.id)
    metrics.upgrade(protocol)
    metrics.connections.inc({ protocol })
    for (const quirk of admitted.quirks) metrics.quirk(quirk)
    logger.debug({ station: station.id, connection: connectionId, protocol }, 'a station connected')
  }

  /** @param claim the connection's own, which may be a later one than it was seated with */
  async function leave(seat: Seat, stationId: string, { epoch, isOwner }: Claim = seat.claim): Promise<void> {
    await seat.leave()
    await claims.giveBack({ stationId, epoch, isOwner })
  }

  function onClosed({ connection }: StationSocket, code: number, reason: string): void {
    const seat = connection && connections.get(connection)
    if (!seat) return
    const stationId = connection.station.id
    pulse.delete(connection)
    claims.forget(connection)
    connections.delete(connection)
    if (byStation.get(stationId) === connection) byStation.delete(stationId)
    metrics.connections.dec({ protocol: connection.protocol })
    logger.debug({ station: stationId, connection: connection.id, code, reason }, 'a station disconnected')
    const closed = Promise.all([connection.socketClosed(code, reason), leave(seat, stationId, connection)]).then(
      () => {},
      (cause: unknown) => logger.error({ err: cause, station: stationId }, 'a close failed'),
    )
    closing.add(closed)
    void closed.then(() => closing.delete(closed))
  }

  function refuse(socket: Duplex, refusal: Refusal, address: string): void {
    countRefused(refusal, address)
    if (!socket.destroyed) writeRefusal(socket, refusal.status, refusal.headers)
  }

  function countRefused({ reason, stationId }: Pick<Refusal, 'reason' | 'stationId'>, address: string): void {
    metrics.refusedUpgrade(reason)
    if (!passing.has(reason) && stationId !== '') refused.add(stationId, reason, address)
  }

  function startDraining(paceMs?: number): Promise<void> {
    if (state.kind === 'draining') return state.done
    logger.info({ connections: connections.size }, 'the gateway is leaving')
    const pace = paceMs ?? paceOf(connections.size, config.drainSeconds * 1000)
    const done = drain(connections.keys(), { paceMs: pace, finishWithinMs: config.finishWithinMs })
    state = { kind: 'draining', done }
    return done
  }

  async function stop(): Promise<void> {
    await startDraining()
    const doorsClosed = doors.close()
    // A station that does not answer our close does not keep the process.
    const patience = performance.now() + stopWithinMs
    while (connections.size > 0 && performance.now() < patience) await pause(10)
    for (const connection of connections.keys()) connection.cut('stop')
    while (connections.size > 0) await pause(10)
    pulse.stop()
    trust.stop()
    await Promise.race([Promise.all([...closing, doorsClosed]).then(() => kept.settled()), pause(stopWithinMs)])
    await stopAnswering()
    await claims.stop()
    metrics.flush()
  }

  let stopped: Promise<void> | null = null
  return {
    id,
    port: doors.port,
    tlsPort: doors.tlsPort,
    get ready() {
      return state.kind === 'open'
    },
    refused: () => refused.list(),
    reloadCertificates: () => doors.reloadCertificates(),
    drain: ({ paceMs } = {}) => startDraining(paceMs),
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

const stopWithinMs = 2_000

function sizeOf(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((size, text) => size + text.length + 2, 0)
}
