import { randomBytes, type webcrypto } from 'node:crypto'
import { PkiError } from './errors.js'
import { isStrongKey } from './keys.js'
import { readPem, toPem } from './pem.js'
import { parseRequest } from './request.js'
import { x509 } from './x509.js'

type Algorithm = 'rsa-2048' | 'rsa-3072' | 'ec-p256' | 'ec-p384'

export interface AuthorityDraft {
  /** The common name of root and intermediate begin with it. */
  name: string
  organization: string
  algorithm: Algorithm
  /** Of RSA alone: PKCS #1 v1.5 is what most stations verify, PSS what the white paper prefers (A00.FR.505). */
  rsaPadding: 'pkcs1' | 'pss'
  notBefore: Date
  notAfter: Date
}

/** What issues station certificates: an intermediate with its key, below a root. */
export interface IssuingAuthority {
  /** The intermediate, PEM. */
  certificate: string
  /** Its private key: PKCS #8, PEM. A secret. */
  privateKey: string
  algorithm: Algorithm
  rsaPadding: 'pkcs1' | 'pss'
}

/**
 * A root and the one intermediate it ever signs: the root's key is forgotten at once, so that there is nothing to steal.
 * Both end together; a successor is another authority, trusted beside this one until it has taken over.
 * @returns the root's certificate, PEM, and what issues below it
 */
export async function createAuthority(draft: AuthorityDraft): Promise<{ root: string; issuing: IssuingAuthority }> {
  const { name, organization, algorithm, rsaPadding, notBefore, notAfter } = draft
  const [rootKeys, issuingKeys] = await Promise.all([generateKeys(draft), generateKeys(draft)])
  const rootName = toName(`${name} Root`, organization)
  const shared = { notBefore, notAfter, signingKey: rootKeys.privateKey, signingAlgorithm: signingOf(draft) }
  const root = await x509.X509CertificateGenerator.create({
    ...shared,
    serialNumber: newSerial(),
    subject: rootName,
    issuer: rootName,
    publicKey: rootKeys.publicKey,
    extensions: await authorityExtensions(rootKeys.publicKey, rootKeys.publicKey, 1),
  })
  const intermediate = await x509.X509CertificateGenerator.create({
    ...shared,
    serialNumber: newSerial(),
    subject: toName(`${name} Issuing`, organization),
    issuer: rootName,
    publicKey: issuingKeys.publicKey,
    extensions: await authorityExtensions(issuingKeys.publicKey, rootKeys.publicKey, 0),
  })
  const privateKey = toPem('PRIVATE KEY', Buffer.from(await crypto.subtle.exportKey('pkcs8', issuingKeys.privateKey)))
  return {
    root: toPem('CERTIFICATE', Buffer.from(root.rawData)),
    issuing: {
      certificate: toPem('CERTIFICATE', Buffer.from(intermediate.rawData)),
      privateKey,
      algorithm,
      rsaPadding,
    },
  }
}

/**
 * A station's certificate: for TLS clients, over the key of its request, with the subject that we say.
 * @param request PKCS #10, PEM
 * @returns the chain, leaf first, without the root; PEM, LF line ends
 * @throws PkiError when the request is none, is not signed with its key, or the key is too weak
 * @see OCPP 1.6 security white paper §2.6.1
 */
export async function issueCertificate(
  authority: IssuingAuthority,
  request: string,
  subject: { commonName: string; organization: string },
  validity: { notBefore: Date; notAfter: Date },
): Promise<string> {
  const { publicKey, key } = parseRequest(request)
  if (!isStrongKey(key)) throw new PkiError(`A key of type ${key.type} with ${key.bits} bits is too weak`)
  const issuer = new x509.X509Certificate(authority.certificate)
  const notAfter = issuer.notAfter < validity.notAfter ? issuer.notAfter : validity.notAfter
  if (notAfter <= validity.notBefore) throw new PkiError('The certificate authority has expired')
  const certified = new x509.PublicKey(publicKey)
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: toName(subject.commonName, subject.organization),
    issuer: issuer.subjectName,
    notBefore: validity.notBefore,
    notAfter,
    publicKey: certified,
    signingKey: await importKey(authority),
    signingAlgorithm: signingOf(authority),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      await x509.SubjectKeyIdentifierExtension.create(certified),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return toPem('CERTIFICATE', Buffer.from(leaf.rawData)) + authority.certificate
}

type Kind = Pick<AuthorityDraft, 'algorithm' | 'rsaPadding'>

const curves = { 'ec-p256': 'P-256', 'ec-p384': 'P-384' } as const
const moduli = { 'rsa-2048': 2048, 'rsa-3072': 3072 } as const

function keyOf({ algorithm, rsaPadding }: Kind) {
  if (algorithm === 'ec-p256' || algorithm === 'ec-p384') return { name: 'ECDSA', namedCurve: curves[algorithm] }
  return {
    name: rsaPadding === 'pss' ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: moduli[algorithm],
    publicExponent: new Uint8Array([1, 0, 1]),
  }
}

function signingOf(kind: Kind) {
  const { name } = keyOf(kind)
  return { name, hash: 'SHA-256', ...(name === 'RSA-PSS' && { saltLength: 32 }) }
}

function generateKeys(kind: Kind): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(keyOf(kind), true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>
}

function importKey(authority: IssuingAuthority): Promise<webcrypto.CryptoKey> {
  const [pkcs8] = readPem(authority.privateKey, ['PRIVATE KEY'])
  return crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8 ?? []), keyOf(authority), false, ['sign'])
}

async function authorityExtensions(own: webcrypto.CryptoKey, issuers: webcrypto.CryptoKey, pathLength: number) {
  return [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(own),
    await x509.AuthorityKeyIdentifierExtension.create(issuers),
  ]
}

const toName = (commonName: string, organization: string) =>
  new x509.Name([{ CN: [commonName] }, { O: [organization] }])

/** 127 random bits, positive. @returns hex */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0)
  return bytes.toString('hex')
}
