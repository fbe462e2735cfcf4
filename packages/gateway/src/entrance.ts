import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { type ListenerPorts, writeRefusal } from './listener.js'
import type { GatewayMetrics } from './metrics.js'
import type { RefusedAttempts } from './refused.js'
import type { Residents } from './residents.js'
import type { HandshakeFault } from './tls/secure-listener.js'
import type { TrustedProxies } from './upgrade/address.js'
import { parseStationPath } from './upgrade/path.js'
import type { UpgradePorts } from './upgrade/ports.js'
import { readTransport } from './upgrade/transport.js'
import { admit, comeBackLater, type Refusal, toRefusal } from './upgrade/upgrade.js'

export interface EntrancePorts {
  upgrade: UpgradePorts
  proxies: TrustedProxies
  residents: Residents
  refused: RefusedAttempts
  logger: Logger
  metrics: GatewayMetrics
  isDraining: () => boolean
}

/** Bytes of a request's head. */
export const headerBytes = { direct: 8 * 1024, behindProxy: 64 * 1024 }

/** What passes by itself; of the others the operator is told. */
const passing = new Set<string>(['handshake', 'path', 'shed', 'log-away', 'store-away', 'draining'])

/** Who fails so speaks TLS, and may well be a station. */
const spokenFaults = new Set<HandshakeFault>(['tls-version', 'tls-suite', 'tls-distrust'])

/** From a request at a door to a station that is connected, or a caller turned away and remembered. */
export class Entrance implements ListenerPorts {
  readonly #ports: EntrancePorts

  constructor(ports: EntrancePorts) {
    this.#ports = ports
  }

  readonly onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    this.#upgrade(request, socket, head).catch((cause: unknown) => {
      this.#ports.logger.error({ err: cause }, 'an upgrade failed')
      this.#refuse(socket, comeBackLater('store-away', ''), '')
    })
  }

  readonly onUnboundUpgrade = (request: IncomingMessage): void => {
    const { address } = this.#transportOf(request)
    this.#count({ reason: 'connection-header', stationId: parseStationPath(request.url ?? '') ?? '' }, address)
  }

  readonly onHandshakeFault = (reason: HandshakeFault, address: string): void => {
    this.#ports.metrics.failedHandshake(reason)
    // The rest may be anything that found the port.
    if (spokenFaults.has(reason)) this.#ports.refused.add('', reason, address)
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { upgrade, residents, refused, metrics, isDraining } = this.#ports
    const transport = this.#transportOf(request)
    const { address, isProxied, ignoredHeaders } = transport
    for (const name of ignoredHeaders) metrics.ignoredHeader(name)
    if (isDraining()) return this.#refuse(socket, comeBackLater('draining', ''), address)
    if (!isProxied && sizeOf(request.rawHeaders) > headerBytes.direct) return writeRefusal(socket, 431)

    const { method, headers, url: target = '' } = request
    const admitted = await admit({ method, target, headers, ...transport }, upgrade)
    if ('status' in admitted) return this.#refuse(socket, admitted, address)
    if (socket.destroyed) return

    const { station, protocol, quirks } = admitted
    const seat = await residents.take(admitted)
    if ('profile' in seat) {
      upgrade.locks.proved(station.id, seat)
      return this.#refuse(socket, toRefusal('profile', station.id), address)
    }
    if (isDraining() || socket.destroyed) {
      await residents.giveBack(seat, station.id)
      return this.#refuse(socket, comeBackLater('draining', station.id), address)
    }
    if (!residents.open(seat, { admitted, request, socket, head })) {
      metrics.refusedUpgrade('handshake')
      return await residents.giveBack(seat, station.id)
    }
    refused.delete(station.id)
    metrics.upgrade(protocol)
    for (const quirk of quirks) metrics.quirk(quirk)
  }

  #transportOf(request: IncomingMessage) {
    return readTransport(request, this.#ports.proxies, this.#ports.upgrade.config.certificateHeader)
  }

  #refuse(socket: Duplex, refusal: Refusal, address: string): void {
    this.#count(refusal, address)
    if (!socket.destroyed) writeRefusal(socket, refusal.status, refusal.headers)
  }

  #count({ reason, stationId }: Pick<Refusal, 'reason' | 'stationId'>, address: string): void {
    this.#ports.metrics.refusedUpgrade(reason)
    if (!passing.has(reason) && stationId !== '') this.#ports.refused.add(stationId, reason, address)
  }
}

function sizeOf(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((size, text) => size + text.length + 2, 0)
}
