import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { parseCertificate, parseCertificates } from './certificate.js'
import { PkiError } from './errors.js'
import { isStrongKey } from './keys.js'
import { opensslFolder } from './testing.js'

const folder = opensslFolder()
const { openssl, read } = folder
afterAll(() => folder.remove())

function selfSigned(...options: string[]): string {
  openssl('req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-keyout', 'key', '-out', 'pem', '-days', '30', ...options)
  return read('pem').toString()
}

test('says what openssl says', () => {
  const pem = selfSigned('-subj', '/CN=Root, one/O=A "quoted" firm')
  const fingerprint = openssl('x509', '-in', 'pem', '-noout', '-fingerprint', '-sha256')
  const serial = openssl('x509', '-in', 'pem', '-noout', '-serial')

  const certificate = parseCertificate(`Some words before.\r\n${pem.replaceAll('\n', '\r\n')}`)

  expect(certificate).toMatchObject({ pem, isAuthority: true, isSelfSigned: true, key: { type: 'RSA', bits: 2048 } })
  expect(certificate.subject).toMatchObject({ commonName: 'Root, one', organization: 'A "quoted" firm' })
  expect(fingerprint.split('=')[1]?.trim().replaceAll(':', '').toLowerCase()).toBe(certificate.fingerprint)
  expect(serial.split('=')[1]?.trim().toLowerCase()).toBe(certificate.serialNumber)
  expect(certificate.notAfter.getTime() - certificate.notBefore.getTime()).toBe(30 * 86_400_000)
})

test('a chain is read in its order, and a cut one not at all', () => {
  const first = selfSigned('-subj', '/CN=1')
  const second = selfSigned('-subj', '/CN=2', '-addext', 'basicConstraints=critical,CA:FALSE')

  const names = parseCertificates(first + second).map(({ subject, isAuthority }) => [subject.commonName, isAuthority])
  expect(names).toEqual([
    ['1', true],
    ['2', false],
  ])
  expect(() => parseCertificates((first + second).slice(0, -30))).toThrow(PkiError)
})

test('anything else is refused with a PkiError, never with a crash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, text) => {
      const body = Buffer.from(bytes).toString('base64')
      expect(() => parseCertificate(text)).toThrow(PkiError)
      expect(() => parseCertificate(`-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----`)).toThrow(
        PkiError,
      )
    }),
  )
})

test.each([
  ['RSA', 2048, true],
  ['RSA', 2047, false],
  ['EC', 224, true],
  ['EC', 192, false],
  ['other', 4096, false],
] as const)('a key of type %s with %i bits: strong %s', (type, bits, strong) => {
  expect(isStrongKey({ type, bits })).toBe(strong)
})
