import { setTimeout as pause } from 'node:timers/promises'
import type { Backbone, RefusedAttempt } from '@busbar/backbone'
import { type Database, newId, type Vault } from '@busbar/store'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { ByteBudget } from './byte-budget.js'
import { type GatewayConfig, gatewayDefaults } from './config.js'
import { type Doors, openDoors } from './doors.js'
import { Entrance, headerBytes } from './entrance.js'
import { KeptRecords } from './kept-records.js'
import { GatewayMetrics } from './metrics.js'
import { RefusedAttempts } from './refused.js'
import { Residents, stopWithinMs } from './residents.js'
import { Trust } from './tls/trust.js'
import { TrustedProxies } from './upgrade/address.js'
import { TokenBucket } from './upgrade/admission.js'
import { ProfileLocks } from './upgrade/profile-locks.js'
import { StationDirectory } from './upgrade/station-directory.js'
import { Throttle } from './upgrade/throttle.js'
import { Turns } from './upgrade/turns.js'
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

/**
 * Starts the WebSocket edge.
 * @param settings what differs from `gatewayDefaults`
 * @throws Error when the address cannot be taken or a proxy range is none
 */
export async function startGateway(settings: Partial<GatewayConfig>, ports: GatewayPorts): Promise<Gateway> {
  const config: GatewayConfig = { ...gatewayDefaults, ...settings }
  const { database, backbone, vault } = ports
  const { log, topics, ownership, channels } = backbone
  const gatewayId = newId()
  const logger = ports.log.child({ gateway: gatewayId })
  const metrics = new GatewayMetrics(ports.metrics)
  const trust = new Trust(database, logger)
  const refused = new RefusedAttempts(logger)
  const throttle = new Throttle(config.failuresPerMinute)
  const residents = new Residents({
    ...{ gatewayId, config, log, topics, ownership, channels, vault, logger, metrics },
    budget: new ByteBudget(config.maxBytesInHand),
    clock: new WallClock(),
    kept: new KeptRecords(log, logger, metrics),
  })
  let drained: Promise<void> | null = null
  let stopped: Promise<void> | null = null
  const entrance = new Entrance({
    ...{ residents, refused, logger, metrics },
    proxies: new TrustedProxies(config.trustedProxies),
    isDraining: () => drained !== null,
    upgrade: {
      ...{ config, vault, trust, throttle },
      directory: new StationDirectory(database, config.credentialsWithinMs),
      locks: new ProfileLocks(),
      turns: new Turns((address) => throttle.isSuspect(address, performance.now())),
      bucket: new TokenBucket(config.upgradesPerSecond, config.upgradeBurst, performance.now()),
      isLogAvailable: () => log.available,
      now: () => performance.now(),
      today: () => new Date(),
    },
  })

  await trust.start(config.trustPollMs)
  trust.onChange(() => residents.closeRevoked((path) => trust.stillHolds(path)))
  const stopAnswering = await refused.answerQueries(channels, gatewayId)
  await residents.start()
  const leave = async () => {
    trust.stop()
    await stopAnswering()
    await residents.leave()
    metrics.flush()
  }
  let doors: Doors
  try {
    const { direct, behindProxy } = headerBytes
    const maxHeaderBytes = config.trustedProxies.length > 0 ? behindProxy : direct
    const { onUpgrade, onUnboundUpgrade, onHandshakeFault } = entrance
    doors = await openDoors(
      { ...config, maxHeaderBytes },
      {
        ...{ trust, logger, onUpgrade, onUnboundUpgrade, onHandshakeFault },
        onCertificates: (certificates) => metrics.serverCertificates(certificates),
      },
    )
  } catch (cause) {
    await residents.stop()
    await leave()
    throw cause
  }

  const drain = (paceMs?: number): Promise<void> => {
    drained ??= residents.drain(paceMs)
    return drained
  }
  const stop = async () => {
    await drain()
    const doorsClosed = doors.close()
    await residents.stop()
    await Promise.race([doorsClosed, pause(stopWithinMs)])
    await leave()
  }
  return {
    id: gatewayId,
    port: doors.port,
    tlsPort: doors.tlsPort,
    get ready() {
      return drained === null
    },
    refused: () => refused.list(),
    reloadCertificates: () => doors.reloadCertificates(),
    drain: ({ paceMs } = {}) => drain(paceMs),
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}
