import { timingSafeEqual } from 'node:crypto'
import {
  type CertificateFault,
  type ClientCertificate,
  certificateFaults,
  faultOfUsage,
  fingerprintOf,
  readSubject,
} from '../tls/client-certificate.js'
import { parseBasic } from './basic.js'
import type { UpgradePorts, UpgradeRequest } from './ports.js'
import type { StationRecord } from './station-directory.js'

/** 0 nothing, 1 Basic, 2 Basic over TLS, 3 client certificate. */
export type SecurityProfile = 0 | 1 | 2 | 3

/** What a caller has proved. */
export interface Proof {
  securityProfile: SecurityProfile
  /** Which of the station's passwords it used; null when it used none. */
  secretSlot: string | null
  /** Fingerprints from its certificate to the anchor; empty without one. */
  certificatePath: readonly string[]
  /** Labels of `busbar_quirks_total`. */
  quirks: readonly string[]
}

export const proofFaults = ['credentials', 'profile', ...certificateFaults] as const
export type ProofFault = (typeof proofFaults)[number]

const noPath: readonly string[] = []

/**
 * A station proves itself with the best it shows. One bound to profile 2 or below that shows a certificate which is not
 * ours, as that of its factory, and a password beside it is judged by the password; a revoked one never opens. In
 * development a station of profile 1 may come without credentials; wrong ones are refused there too.
 * @param id as in the path
 * @see OCPP 1.6 security white paper, A00; OCPP 2.0.1 part 2 A00
 */
export async function prove(
  id: string,
  station: StationRecord,
  request: UpgradeRequest,
  ports: UpgradePorts,
): Promise<Proof | ProofFault> {
  const { certificate, isSecure, headers } = request
  const bound = boundTo(station, ports)
  const quirks: string[] = []
  if (certificate !== null) {
    const judged = await judge(certificate, station, ports)
    if (typeof judged !== 'string') {
      return { securityProfile: 3, secretSlot: null, certificatePath: judged, quirks }
    }
    const isBanned = judged === 'certificate-revoked' || judged === 'certificate-superseded'
    if (isBanned || bound > 2 || headers.authorization === undefined) return judged
    quirks.push('certificate-ignored')
  }
  // Before the password is looked at: nobody shall try passwords on a door they do not open.
  if (bound > (isSecure ? 2 : 1)) return 'profile'
  const needsNone = ports.config.dev ? bound <= 1 : bound === 0 && ports.config.allowProfile0
  if (needsNone && (headers.authorization === undefined || station.secrets.length === 0)) {
    return { securityProfile: 0, secretSlot: null, certificatePath: noPath, quirks }
  }
  const slot = await findPassword(id, station, request, ports)
  if (slot === null) return 'credentials'
  return { securityProfile: isSecure ? 2 : 1, secretSlot: slot, certificatePath: noPath, quirks }
}

/** The lowest profile that lets it in: the operator's choice, or the highest it has proved since. */
export function boundTo(station: StationRecord, { locks }: Pick<UpgradePorts, 'locks'>): number {
  return Math.max(station.securityProfile, station.provenProfile, locks.find(station))
}

/** @returns the path to the anchor, or what is wrong */
async function judge(
  certificate: ClientCertificate | CertificateFault,
  station: StationRecord,
  { trust, config, today }: UpgradePorts,
): Promise<readonly string[] | CertificateFault> {
  if (typeof certificate === 'string') return certificate
  const { leaf } = certificate
  let path = trust.findPath(certificate, today())
  if (path === 'certificate-untrusted') {
    await trust.catchUp()
    path = trust.findPath(certificate, today())
  }
  if (path === 'certificate-revoked') return path
  const fault = certificate.fault ?? (typeof path === 'string' ? path : faultOfUsage(leaf))
  if (fault !== null || typeof path === 'string') return fault ?? 'certificate-untrusted'
  if (station.closedCertificates.includes(fingerprintOf(leaf))) return 'certificate-superseded'
  const { commonNames, organizations } = readSubject(leaf)
  // A00.FR.404
  if (config.operatorName !== null && !organizations.includes(config.operatorName)) return 'certificate-operator'
  // A00.FR.405. Equal, where it says "contains": a number may be a part of another.
  const [commonName, ...others] = commonNames
  const serials = [station.serialNumber ?? station.id, station.controllerSerialNumber]
  return others.length === 0 && commonName !== undefined && serials.includes(commonName) ? path : 'certificate-serial'
}

/**
 * The user name has to be the station's id, as in the path or as registered (A00.FR.204).
 * @returns the slot of the password; null when it is none of the station's
 * @throws UnavailableError when too many callers who guessed before wait for the like
 */
async function findPassword(
  id: string,
  station: StationRecord,
  { headers, address }: UpgradeRequest,
  { vault, turns }: UpgradePorts,
): Promise<string | null> {
  const credentials = parseBasic(headers.authorization)
  if (!credentials) return null
  if (!equal(credentials.username, id) && !equal(credentials.username, station.id)) return null
  for (const { slot, hash } of station.secrets) {
    if (await vault.verifyPassword(credentials.password, hash, (work) => turns.take(address, work))) return slot
  }
  return null
}

function equal(bytes: Buffer, text: string): boolean {
  const expected = Buffer.from(text, 'latin1')
  return bytes.length === expected.length && timingSafeEqual(bytes, expected)
}
