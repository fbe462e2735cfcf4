import type { ProvenProfile } from '@busbar/backbone'
import type { Protocol } from '@busbar/ocpp'
import { UnavailableError } from '@busbar/store'
import { retryAfter } from './admission.js'
import { isHexPassword, isShortPassword } from './basic.js'
import { parseStationPath } from './path.js'
import type { UpgradePorts, UpgradeRequest } from './ports.js'
import { type Proof, type ProofFault, proofFaults, prove } from './proof.js'
import type { StationRecord } from './station-directory.js'
import { chooseProtocol } from './subprotocol.js'

/** Labels of the metric of refused upgrades. */
export const refusalReasons = [
  'handshake',
  'connection-header',
  'path',
  'throttled',
  'unknown',
  ...proofFaults,
  'shed',
  'log-away',
  'store-away',
  'protocol',
  'draining',
] as const
export type RefusalReason = (typeof refusalReasons)[number]

export interface Refusal {
  status: 400 | 401 | 403 | 404 | 405 | 426 | 429 | 503
  reason: RefusalReason
  /** As it is registered, else as the caller spelled it; '' where the path held none. */
  stationId: string
  headers?: Record<string, string>
}

export interface Admitted extends Proof {
  station: StationRecord
  protocol: Protocol
  address: string
  proven: ProvenProfile
}

/**
 * Who calls, may it in, and what shall be spoken. The order of the checks is that of the costs they cause, and a caller
 * that has proved nothing learns and stores nothing.
 * @see OCPP 2.0.1 part 4 §3.2; part 2 A00
 */
export async function admit(request: UpgradeRequest, ports: UpgradePorts): Promise<Admitted | Refusal> {
  const { config, throttle } = ports
  const { headers, address } = request
  const malformed = checkHandshake(request)
  if (malformed) return { ...malformed, reason: 'handshake', stationId: '' }
  const id = parseStationPath(request.target)
  if (id === null) return { status: 400, reason: 'path', stationId: '' }
  if (throttle.isClosed(address, id, ports.now())) return throttled(id)
  let station: StationRecord | null
  try {
    station = await ports.directory.find(id)
    if (!station && config.dev) station = await ports.directory.addForDevelopment(id)
  } catch (cause) {
    if (!(cause instanceof UnavailableError)) throw cause
    return comeBackLater('store-away', id)
  }
  throttle.tried(address, id, ports.now())
  if (!station) {
    throttle.failed(address, ports.now())
    return { status: 404, reason: 'unknown', stationId: id }
  }
  // A certificate can be judged only once the anchors were read.
  if (request.certificate !== null && !ports.trust.isKnown) return comeBackLater('store-away', id)
  let proof: Proof | ProofFault
  try {
    proof = await prove(id, station, request, ports)
  } catch (cause) {
    if (!(cause instanceof UnavailableError)) throw cause
    return comeBackLater('shed', id)
  }
  if (typeof proof === 'string') {
    throttle.failed(address, ports.now())
    return toRefusal(proof, station.id)
  }
  throttle.succeeded(address, id)
  if (!ports.bucket.take(ports.now())) return comeBackLater('shed', id)
  if (!ports.isLogAvailable()) return comeBackLater('log-away', id)
  const { protocolWithoutHeader: assumed } = station.switches
  const protocol = chooseProtocol(headers['sec-websocket-protocol'], config.protocols, {
    protocols: station.protocols,
    protocolWithoutHeader: station.protocolWithoutHeader ?? (typeof assumed === 'string' ? assumed : null),
  })
  if (!protocol) return { status: 400, reason: 'protocol', stationId: station.id }
  // Only 1.6 knows a station without credentials.
  if (proof.securityProfile === 0 && protocol !== 'ocpp1.6' && !config.dev) {
    return toRefusal('profile', station.id)
  }
  const proven = { profile: proof.securityProfile, at: ports.today().getTime() }
  ports.locks.proved(station.id, proven)
  const quirks = [
    ...proof.quirks,
    ...(station.id === id ? [] : ['id-case']),
    ...(headers['sec-websocket-protocol'] === undefined ? ['subprotocol-missing'] : []),
    ...(isShortPassword(headers.authorization) ? ['password-short'] : []),
    ...(protocol === 'ocpp1.6' && proof.secretSlot !== null && isHexPassword(headers.authorization)
      ? ['password-hex']
      : []),
  ]
  return { station, protocol, address, proven, ...proof, quirks }
}

function throttled(stationId: string): Refusal {
  return { status: 429, reason: 'throttled', stationId, headers: { 'Retry-After': '60' } }
}

export function toRefusal(reason: ProofFault, stationId: string): Refusal {
  if (reason !== 'credentials') return { status: 403, reason, stationId }
  return { status: 401, reason, stationId, headers: { 'WWW-Authenticate': 'Basic realm="ocpp", charset="UTF-8"' } }
}

export function comeBackLater(reason: RefusalReason, stationId: string): Refusal {
  return { status: 503, reason, stationId, headers: { 'Retry-After': retryAfter() } }
}

/** What the WebSocket library would refuse after the station was registered as ours. */
function checkHandshake({ method, headers }: UpgradeRequest): Pick<Refusal, 'status' | 'headers'> | null {
  if (method !== 'GET') return { status: 405, headers: { Allow: 'GET' } }
  if (headers.upgrade?.toLowerCase() !== 'websocket') return { status: 400 }
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return { status: 400 }
  const version = headers['sec-websocket-version']
  return version === '13' || version === '8' ? null : { status: 426, headers: { 'Sec-WebSocket-Version': '13, 8' } }
}
