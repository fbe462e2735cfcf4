import { X509Certificate } from 'node:crypto'
import { PkiError } from './errors.js'
import { type KeyInfo, toKeyInfo } from './keys.js'
import { readPem, toPem } from './pem.js'
import { readSubject, type Subject } from './subject.js'

/** What a certificate says, without a judgement. */
export interface Certificate {
  /** This certificate alone, LF line ends. */
  pem: string
  subject: Subject
  issuer: Subject
  /** Lower-case hex. */
  serialNumber: string
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: string
  notBefore: Date
  notAfter: Date
  /** By its basic constraints. */
  isAuthority: boolean
  /** Signed with its own key: a root. */
  isSelfSigned: boolean
  key: KeyInfo
}

/**
 * The only or first certificate of a PEM text.
 * @throws PkiError when there is none that can be read
 */
export function parseCertificate(text: string): Certificate {
  const [first] = parseCertificates(text)
  if (!first) throw new PkiError('There is no CERTIFICATE in PEM')
  return first
}

/**
 * All certificates of a PEM text, in its order: a chain has its leaf first.
 * @throws PkiError when one cannot be read
 */
export function parseCertificates(text: string): Certificate[] {
  return readPem(text, ['CERTIFICATE', 'X509 CERTIFICATE']).map(toCertificate)
}

function toCertificate(der: Buffer): Certificate {
  try {
    const certificate = new X509Certificate(der)
    const key = certificate.publicKey
    return {
      pem: toPem('CERTIFICATE', certificate.raw),
      subject: readSubject(certificate.subject),
      issuer: readSubject(certificate.issuer),
      serialNumber: certificate.serialNumber.toLowerCase(),
      fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      notBefore: new Date(certificate.validFrom),
      notAfter: new Date(certificate.validTo),
      isAuthority: certificate.ca,
      isSelfSigned: certificate.checkIssued(certificate) && certificate.verify(key),
      key: toKeyInfo(key),
    }
  } catch (cause) {
    throw new PkiError('The certificate cannot be read', { cause })
  }
}
