import { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'

/** Why a client certificate opens nothing; label of the metric of refused upgrades. */
export const certificateFaults = [
  'certificate-unreadable',
  'certificate-untrusted',
  'certificate-expired',
  'certificate-not-yet-valid',
  'certificate-usage',
  'certificate-revoked',
  'certificate-superseded',
  'certificate-operator',
  'certificate-serial',
] as const
export type CertificateFault = (typeof certificateFaults)[number]

/** What a caller shows; that it has the key was proved in the handshake, with us or with a proxy of ours. */
export interface ClientCertificate {
  leaf: X509Certificate
  /** What it sent along, in any order. */
  issuers: readonly X509Certificate[]
  /** What OpenSSL found wrong with its path; null where nothing, or where a proxy did the handshake. */
  fault: CertificateFault | null
}

/** Longest path we follow: leaf, three authorities between, root. */
export const maxPathLength = 5

export function readPeerCertificate(socket: TLSSocket): ClientCertificate | null {
  const leaf = socket.getPeerX509Certificate()
  if (!leaf) return null
  const issuers: X509Certificate[] = []
  let issuer = leaf.issuerCertificate
  while (issuer && issuers.length < maxPathLength) {
    issuers.push(issuer)
    issuer = issuer.issuerCertificate
  }
  // The type says Error, Node gives OpenSSL's code.
  const verdict = String(socket.authorizationError ?? '')
  const fault = verdict in faultsOfOpenSsl ? (faultsOfOpenSsl[verdict] ?? null) : 'certificate-untrusted'
  return { leaf, issuers, fault: socket.authorized ? null : fault }
}

const faultsOfOpenSsl: Record<string, CertificateFault | null> = {
  // It knows no anchor: ours may be an intermediate, which Node's server cannot tell it, or newer than this handshake.
  SELF_SIGNED_CERT_IN_CHAIN: null,
  UNABLE_TO_GET_ISSUER_CERT: null,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: null,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: null,
  CERT_HAS_EXPIRED: 'certificate-expired',
  CERT_NOT_YET_VALID: 'certificate-not-yet-valid',
  INVALID_PURPOSE: 'certificate-usage',
}

/**
 * The header of a proxy that ended TLS: URL-encoded PEM, as nginx gives it, or the last element of Envoy's
 * X-Forwarded-Client-Cert, whose Chain or Cert is the same.
 * @returns null for an empty one: the caller showed no certificate
 */
export function parseForwardedCertificate(header: string): ClientCertificate | CertificateFault | null {
  if (header === '') return null
  const quoted = [...header.matchAll(/(?:^|[;,])(?:Cert|Chain)="([^"]*)"/gi)].at(-1)?.[1]
  try {
    const pems = decodeURIComponent(quoted ?? header).match(
      /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g,
    )
    const [leaf, ...issuers] = (pems ?? []).slice(0, maxPathLength).map((pem) => new X509Certificate(pem))
    return leaf ? { leaf, issuers, fault: null } : 'certificate-unreadable'
  } catch {
    return 'certificate-unreadable'
  }
}

/** @param now for what a path's validity is looked at */
export function faultOfDates(certificate: X509Certificate, now: Date): CertificateFault | null {
  if (now.getTime() < Date.parse(certificate.validFrom)) return 'certificate-not-yet-valid'
  return now.getTime() > Date.parse(certificate.validTo) ? 'certificate-expired' : null
}

const clientAuth = '1.3.6.1.5.5.7.3.2'

/** Without the extension a certificate may be used for anything (RFC 5280 §4.2.1.12). */
export function faultOfUsage(leaf: X509Certificate): CertificateFault | null {
  const usages = leaf.keyUsage as string[] | undefined
  return usages === undefined || usages.includes(clientAuth) ? null : 'certificate-usage'
}

/** Common and organization names of the subject. */
export function readSubject(leaf: X509Certificate): {
  commonNames: readonly string[]
  organizations: readonly string[]
} {
  const { CN, O } = leaf.toLegacyObject().subject as { CN?: string | string[]; O?: string | string[] }
  return { commonNames: [CN ?? []].flat(), organizations: [O ?? []].flat() }
}

/** SHA-256 of the DER, lower-case hex. */
export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase()
}
