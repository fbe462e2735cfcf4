import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AuthorityDraft, createAuthority, issueCertificate } from './authority.js'
import { parseCertificate, parseCertificates } from './certificate.js'
import { opensslFolder } from './testing.js'

const folder = opensslFolder()
const { openssl, write, read } = folder
afterAll(() => folder.remove())

const notBefore = new Date('2026-01-01T00:00:00Z')
const notAfter = new Date('2046-01-01T00:00:00Z')
const validity = { notBefore, notAfter: new Date('2027-01-01T00:00:00Z') }
const subject = { commonName: 'SN-4711', organization: 'Ägir, Mobility + Co' }

function draft(overrides: Partial<AuthorityDraft> = {}): AuthorityDraft {
  const named = { name: 'Fleet', organization: 'Ägir, Mobility + Co', notBefore, notAfter }
  return { ...named, algorithm: 'ec-p256', rsaPadding: 'pkcs1', ...overrides }
}

function request(name: string, ...key: string[]): string {
  openssl(
    'req',
    '-new',
    '-nodes',
    ...key,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    '/CN=whoever/O=odd',
  )
  return read(`${name}.csr`).toString()
}

let rsa: string
let ec: string
beforeAll(() => {
  rsa = request('rsa', '-newkey', 'rsa:2048')
  ec = request('ec', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1')
})

test.each([
  ['rsa-2048', 'pkcs1', 'sha256WithRSAEncryption'],
  ['rsa-2048', 'pss', 'rsassaPss'],
  ['rsa-3072', 'pkcs1', 'sha256WithRSAEncryption'],
  ['ec-p256', 'pkcs1', 'ecdsa-with-SHA256'],
  ['ec-p384', 'pkcs1', 'ecdsa-with-SHA256'],
] as const)(
  'an authority of %s (%s) issues what openssl verifies as a TLS client',
  async (algorithm, rsaPadding, named) => {
    const { root, issuing } = await createAuthority(draft({ algorithm, rsaPadding }))
    write('root.pem', root)
    write('issuing.pem', issuing.certificate)
    for (const csr of [rsa, ec]) {
      const chain = await issueCertificate(issuing, csr, subject, validity)
      write('leaf.pem', chain)
      const verify = [
        'verify',
        '-x509_strict',
        '-attime',
        '1780000000',
        '-CAfile',
        'root.pem',
        '-untrusted',
        'issuing.pem',
      ]
      expect(openssl(...verify, '-purpose', 'sslclient', 'leaf.pem')).toContain('OK')
      expect(() => openssl(...verify, '-purpose', 'sslserver', 'leaf.pem')).toThrow()
      expect(openssl('x509', '-in', 'leaf.pem', '-noout', '-text')).toContain(`Signature Algorithm: ${named}`)
    }
  },
)

test('the certificate is over the key of the request and says who we say it is', async () => {
  const { root, issuing } = await createAuthority(draft())
  const chain = await issueCertificate(issuing, rsa, subject, validity)

  const [leaf, intermediate, ...more] = parseCertificates(chain)
  expect(more).toEqual([])
  expect(leaf).toMatchObject({ subject, isAuthority: false, key: { type: 'RSA', bits: 2048 }, ...validity })
  expect(intermediate?.isAuthority).toBe(true)
  expect(parseCertificate(root)).toMatchObject({ isAuthority: true, isSelfSigned: true, notAfter })
  expect(chain).not.toContain('\r')
  expect(new X509Certificate(leaf?.pem ?? '').publicKey.export({ format: 'pem', type: 'spki' })).toBe(
    openssl('pkey', '-in', 'rsa.key', '-pubout'),
  )
})

test('no two certificates share a serial number, and none outlives its authority', async () => {
  const { issuing } = await createAuthority(draft({ notAfter: new Date('2026-06-01T00:00:00Z') }))
  const chains = await Promise.all([rsa, rsa].map((csr) => issueCertificate(issuing, csr, subject, validity)))

  const [first, second] = chains.map(parseCertificate)
  expect(first?.serialNumber).not.toBe(second?.serialNumber)
  expect(first?.notAfter).toEqual(new Date('2026-06-01T00:00:00Z'))
  const late = { notBefore: new Date('2026-07-01T00:00:00Z'), notAfter }
  await expect(issueCertificate(issuing, rsa, subject, late)).rejects.toThrow('expired')
})

test('weak keys and keys of other kinds get none', async () => {
  const { issuing } = await createAuthority(draft())
  const weak = request('weak', '-newkey', 'rsa:1024')
  const small = request('small', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime192v1')
  const least = request('least', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1')

  await expect(issueCertificate(issuing, weak, subject, validity)).rejects.toThrow('too weak')
  await expect(issueCertificate(issuing, small, subject, validity)).rejects.toThrow('too weak')
  write('least.pem', await issueCertificate(issuing, least, subject, validity))
  expect(openssl('x509', '-in', 'least.pem', '-noout', '-text')).toContain('secp224r1')
})
