import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Protocol } from '@busbar/ocpp'
import { UnavailableError, type Vault } from '@busbar/store'
import type { GatewayConfig } from '../config.js'
import { retryAfter, type TokenBucket } from './admission.js'
import { parseBasic } from './basic.js'
import { parseStationPath } from './path.js'
import type { StationDirectory, StationRecord } from './station-directory.js'
import { chooseProtocol } from './subprotocol.js'
import type { Throttle } from './throttle.js'

/** What an upgrade asks for. */
export interface UpgradeRequest {
  method: string | undefined
  target: string
  headers: IncomingHttpHeaders
  /** The caller's own, proxies of ours looked through. */
  address: string
}

/** Label of the metric of refused upgrades. */
export type RefusalReason =
  | 'handshake'
  | 'path'
  | 'throttled'
  | 'unknown'
  | 'credentials'
  | 'profile'
  | 'shed'
  | 'log-away'
  | 'store-away'
  | 'protocol'
  | 'draining'

export interface Refusal {
  status: 400 | 401 | 403 | 404 | 405 | 426 | 429 | 503
  reason: RefusalReason
  /** '' where the path held none. */
  stationId: string
  headers?: Record<string, string>
}

export interface Admitted {
  station: StationRecord
  protocol: Protocol
  address: string
  /** What the caller proved: 1 Basic, 0 nothing. */
  securityProfile: 0 | 1
  /** Which of the station's passwords it used; null when it used none. */
  secretSlot: string | null
  /** Tolerances made use of; labels of `busbar_quirks_total`. */
  quirks: string[]
}

export interface UpgradePorts {
  config: GatewayConfig
  directory: StationDirectory
  vault: Vault
  throttle: Throttle
  bucket: TokenBucket
  isLogAvailable: () => boolean
  /** Milliseconds, monotonic. */
  now: () => number
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
  if (throttle.isClosed(address, id, ports.now())) {
    return { status: 429, reason: 'throttled', stationId: id, headers: { 'Retry-After': '60' } }
  }
  let station: StationRecord | null
  try {
    station = await ports.directory.find(id)
    if (!station && config.dev) station = await ports.directory.addForDevelopment(id)
  } catch (cause) {
    if (!(cause instanceof UnavailableError)) throw cause
    return comeBackLater('store-away', id)
  }
  if (!station) {
    throttle.failed(address, id, ports.now())
    return { status: 404, reason: 'unknown', stationId: id }
  }
  const proof = await authenticate(id, station, headers.authorization, ports)
  if (proof === 'refused') {
    throttle.failed(address, id, ports.now())
    const challenge = { 'WWW-Authenticate': 'Basic realm="ocpp", charset="UTF-8"' }
    return { status: 401, reason: 'credentials', stationId: id, headers: challenge }
  }
  throttle.succeeded(address, id)
  // Profiles 2 and 3 need TLS, which this listener does not speak.
  if (station.securityProfile > 1) return { status: 403, reason: 'profile', stationId: id }
  if (!ports.bucket.take(ports.now())) return comeBackLater('shed', id)
  if (!ports.isLogAvailable()) return comeBackLater('log-away', id)
  const protocol = chooseProtocol(headers['sec-websocket-protocol'], config.protocols, station)
  if (!protocol) return { status: 400, reason: 'protocol', stationId: id }
  // Only 1.6 knows a station without credentials.
  if (proof.securityProfile === 0 && protocol !== 'ocpp1.6' && !config.dev) {
    return { status: 403, reason: 'profile', stationId: id }
  }
  const quirks = [
    ...(station.id === id ? [] : ['id-case']),
    ...(headers['sec-websocket-protocol'] === undefined ? ['subprotocol-missing'] : []),
  ]
  return { station, protocol, address, ...proof, quirks }
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

type Proof = Pick<Admitted, 'securityProfile' | 'secretSlot'>

/**
 * The user name has to be the station's id, as in the path or as registered (OCPP 2.0.1 part 2 A00.FR.204).
 * In development a station may come without credentials; wrong ones are refused there too.
 */
async function authenticate(
  id: string,
  station: StationRecord,
  header: string | undefined,
  { config, vault }: UpgradePorts,
): Promise<Proof | 'refused'> {
  const nothing: Proof = { securityProfile: 0, secretSlot: null }
  const needsNone = config.dev || (station.securityProfile === 0 && config.allowProfile0)
  if (needsNone && (header === undefined || station.secrets.length === 0)) return nothing
  const credentials = parseBasic(header)
  if (!credentials) return 'refused'
  if (!equal(credentials.username, id) && !equal(credentials.username, station.id)) return 'refused'
  for (const { slot, hash } of station.secrets) {
    if (await vault.verifyPassword(credentials.password, hash)) return { securityProfile: 1, secretSlot: slot }
  }
  return 'refused'
}

function equal(bytes: Buffer, text: string): boolean {
  const expected = Buffer.from(text, 'latin1')
  return bytes.length === expected.length && timingSafeEqual(bytes, expected)
}
