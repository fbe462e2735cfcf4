import 'reflect-metadata'
import { createHash, KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto)

export type KeyType = 'ec' | 'rsa'
type Keys = webcrypto.CryptoKeyPair

/** A certificate with its key, and what a test asks of it. */
export interface Identity {
  /** PEM. */
  certificate: string
  /** As a server or client presents it: the certificate, then those that lead to the root, which is left out. PEM. */
  chain: string
  /** PKCS#8, PEM. */
  key: string
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: string
}

export interface CertificateDraft {
  commonName: string
  /** No O where it is left out. */
  organization?: string
  keyType?: KeyType
  /** A year ago, so that an expired certificate lies within its issuer's life. */
  notBefore?: Date
  /** In a year. */
  notAfter?: Date
  /** What it may be used for; `none` leaves the extension out. */
  usage?: 'client' | 'server' | 'none'
  /** Names and addresses of a server. */
  hosts?: readonly string[]
}

const year = 365 * 24 * 3_600_000
const clientAuth = '1.3.6.1.5.5.7.3.2'
const serverAuth = '1.3.6.1.5.5.7.3.1'

const algorithms = {
  ec: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
} as const

const generateKeys = (type: KeyType) => webcrypto.subtle.generateKey(algorithms[type], true, ['sign', 'verify'])

/** A certificate authority of a test, root or intermediate. */
export class TestAuthority implements Identity {
  readonly certificate: string
  readonly chain: string
  readonly key: string
  readonly fingerprint: string
  readonly #keyType: KeyType
  readonly #keys: Keys
  readonly #certificate: x509.X509Certificate

  /** A root of its own. */
  static async create(commonName = 'Test Root', keyType: KeyType = 'ec'): Promise<TestAuthority> {
    const keys = await generateKeys(keyType)
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...lifetime({}, 10 * year),
      serialNumber: serialNumber(),
      name: toName({ commonName }),
      signingAlgorithm: algorithms[keyType],
      keys,
      extensions: authorityExtensions(),
    })
    return new TestAuthority(certificate, '', keyType, keys, exportKey(keys))
  }

  /** @param toRoot what leads from this authority to its root; '' for a root */
  private constructor(certificate: x509.X509Certificate, toRoot: string, keyType: KeyType, keys: Keys, key: string) {
    this.certificate = toPem(certificate)
    this.chain = toRoot
    this.key = key
    this.fingerprint = fingerprintOf(this.certificate)
    this.#keyType = keyType
    this.#keys = keys
    this.#certificate = certificate
  }

  /** An authority below this one. */
  async intermediate(commonName = 'Test Intermediate', keyType: KeyType = 'ec'): Promise<TestAuthority> {
    const keys = await generateKeys(keyType)
    const certificate = await this.#sign(
      keys.publicKey,
      toName({ commonName }),
      authorityExtensions(),
      lifetime({}, 5 * year),
    )
    return new TestAuthority(certificate, toPem(certificate) + this.chain, keyType, keys, exportKey(keys))
  }

  async issue(draft: CertificateDraft): Promise<Identity> {
    const keys = await generateKeys(draft.keyType ?? 'ec')
    const certificate = await this.#sign(keys.publicKey, toName(draft), leafExtensions(draft), lifetime(draft))
    return this.#toIdentity(certificate, exportKey(keys))
  }

  /** Signs what a station asked for; the subject is the request's own. The key stays with the station. */
  async signRequest(csr: string, draft: Partial<CertificateDraft> = {}): Promise<Omit<Identity, 'key'>> {
    const request = new x509.Pkcs10CertificateRequest(csr)
    const publicKey = await request.publicKey.export()
    const certificate = await this.#sign(publicKey, request.subject, leafExtensions(draft), lifetime(draft))
    return this.#toIdentity(certificate, '')
  }

  #toIdentity(issued: x509.X509Certificate, key: string): Identity {
    const certificate = toPem(issued)
    return { certificate, chain: certificate + this.chain, key, fingerprint: fingerprintOf(certificate) }
  }

  #sign(
    publicKey: webcrypto.CryptoKey,
    subject: string | x509.JsonName,
    extensions: x509.Extension[],
    life: { notBefore: Date; notAfter: Date },
  ): Promise<x509.X509Certificate> {
    return x509.X509CertificateGenerator.create({
      ...life,
      serialNumber: serialNumber(),
      subject,
      issuer: this.#certificate.subject,
      signingAlgorithm: algorithms[this.#keyType],
      publicKey,
      signingKey: this.#keys.privateKey,
      extensions,
    })
  }
}

/** A certificate that vouches for itself alone. */
export async function selfSigned(draft: CertificateDraft): Promise<Identity> {
  const keyType = draft.keyType ?? 'ec'
  const keys = await generateKeys(keyType)
  const certificate = toPem(
    await x509.X509CertificateGenerator.createSelfSigned({
      ...lifetime(draft),
      serialNumber: serialNumber(),
      name: toName(draft),
      signingAlgorithm: algorithms[keyType],
      keys,
      extensions: leafExtensions(draft),
    }),
  )
  return { certificate, chain: certificate, key: exportKey(keys), fingerprint: fingerprintOf(certificate) }
}

/** What a station sends in SignCertificate, and the key it keeps. Both PEM. */
export async function certificateRequest(
  subject: Pick<CertificateDraft, 'commonName' | 'organization' | 'keyType'>,
): Promise<{ csr: string; key: string }> {
  const keyType = subject.keyType ?? 'ec'
  const keys = await generateKeys(keyType)
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: toName(subject),
    keys,
    signingAlgorithm: algorithms[keyType],
  })
  return { csr: `${request.toString('pem')}\n`, key: exportKey(keys) }
}

/** SHA-256 of the DER, lower-case hex: how Busbar names a certificate. */
export function fingerprintOf(certificate: string): string {
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex')
}

function lifetime(draft: Pick<CertificateDraft, 'notBefore' | 'notAfter'>, yearsMs = year) {
  return {
    notBefore: draft.notBefore ?? new Date(Date.now() - year),
    notAfter: draft.notAfter ?? new Date(Date.now() + yearsMs),
  }
}

function toName({ commonName, organization }: Pick<CertificateDraft, 'commonName' | 'organization'>): x509.JsonName {
  return [{ CN: [commonName] }, ...(organization === undefined ? [] : [{ O: [organization] }])]
}

function authorityExtensions(): x509.Extension[] {
  const usages = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign
  return [new x509.BasicConstraintsExtension(true, undefined, true), new x509.KeyUsagesExtension(usages, true)]
}

function leafExtensions({ usage = 'client', hosts = [] }: Partial<CertificateDraft>): x509.Extension[] {
  const usages = x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment
  const names = hosts.map((value) => ({ type: /^[\d.]+$|:/.test(value) ? ('ip' as const) : ('dns' as const), value }))
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(usages, true),
    ...(usage === 'none' ? [] : [new x509.ExtendedKeyUsageExtension([usage === 'client' ? clientAuth : serverAuth])]),
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
  ]
}

/** Positive, so that no reader takes it for a negative number. */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01
  return bytes.toString('hex')
}

const toPem = (certificate: x509.X509Certificate) => `${certificate.toString('pem')}\n`

function exportKey({ privateKey }: Keys): string {
  return KeyObject.from(privateKey).export({ type: 'pkcs8', format: 'pem' }) as string
}
