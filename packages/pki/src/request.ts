import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { PkiError } from './errors.js'
import { type KeyInfo, toKeyInfo } from './keys.js'
import { readPem } from './pem.js'
import { x509 } from './x509.js'

export interface CertificateRequest {
  /** Of the requested subject; null where it has none. Nothing that may be believed. */
  commonName: string | null
  organization: string | null
  key: KeyInfo
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Buffer
}

/**
 * Reads a certificate signing request and has it proved that its sender holds the private key.
 * The subject may be anything: what is certified is decided by who signs.
 *
 * @param pem PKCS #10 (RFC 2986), PEM
 * @throws PkiError when it is none, or its signature is not made with its own key
 * @see OCPP 1.6 security white paper A02.FR.03
 */
export function parseRequest(pem: string): CertificateRequest {
  const [der] = readPem(pem, ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'])
  const { subjectName, publicKey, signature, signatureAlgorithm, signed, key } = readRequest(der ?? Buffer.alloc(0))
  if (!isSignedBy(key, signed, signature, signatureAlgorithm)) {
    throw new PkiError('The certificate request is not signed with its own key')
  }
  return {
    commonName: subjectName.getField('CN')[0] ?? null,
    organization: subjectName.getField('O')[0] ?? null,
    key: toKeyInfo(key),
    publicKey,
  }
}

/** As WebCrypto names them. */
interface SignatureAlgorithm {
  name: string
  hash?: { name: string }
}

function readRequest(der: Buffer) {
  try {
    const request = new x509.Pkcs10CertificateRequest(der)
    const publicKey = Buffer.from(request.publicKey.rawData)
    return {
      subjectName: request.subjectName,
      publicKey,
      signature: Buffer.from(request.signature),
      signatureAlgorithm: request.signatureAlgorithm as unknown as SignatureAlgorithm,
      signed: firstElement(Buffer.from(request.rawData)),
      key: createPublicKey({ key: publicKey, format: 'der', type: 'spki' }),
    }
  } catch (cause) {
    throw new PkiError('The certificate request cannot be read', { cause })
  }
}

/** What a signed structure signs: the first element of its SEQUENCE, as it stands. */
function firstElement(der: Buffer): Buffer {
  const { start } = readHeader(der, 0)
  const { start: content, length } = readHeader(der, start)
  return der.subarray(start, content + length)
}

/** Tag and length at a place (X.690 §8.1.3); the parser has found them sound before. */
function readHeader(der: Buffer, at: number): { start: number; length: number } {
  const first = der.readUInt8(at + 1)
  if (first < 0x80) return { start: at + 2, length: first }
  const bytes = first & 0x7f
  return { start: at + 2 + bytes, length: der.readUIntBE(at + 2, bytes) }
}

function isSignedBy(key: KeyObject, data: Buffer, signature: Buffer, algorithm: SignatureAlgorithm): boolean {
  const digest = algorithm.hash?.name.replace('-', '').toLowerCase() ?? ''
  if (!['sha256', 'sha384', 'sha512'].includes(digest)) return false
  const padding = algorithm.name === 'RSA-PSS' ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {}
  try {
    return verify(digest, data, { key, ...padding }, signature)
  } catch {
    return false
  }
}
