import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { PkiError } from './errors.js'
import { parseRequest } from './request.js'
import { opensslFolder } from './testing.js'

const folder = opensslFolder()
const { openssl, read } = folder
afterAll(() => folder.remove())

function request(subject: string, ...more: string[]): string {
  openssl('req', '-new', '-nodes', '-newkey', 'rsa:2048', '-keyout', 'key', '-out', 'csr', '-subj', subject, ...more)
  return read('csr').toString()
}

test.each([
  ['PKCS #1 v1.5', []],
  ['PSS', ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32']],
  ['PSS over SHA-384', ['-sha384', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:-1']],
  ['SHA-512', ['-sha512']],
])('a request signed with %s proves its key, whatever its subject', (_, options) => {
  const pem = request('/C=XX/CN=an odd one/OU=x', ...options)

  expect(parseRequest(pem)).toMatchObject({
    commonName: 'an odd one',
    organization: null,
    key: { type: 'RSA', bits: 2048 },
  })
  expect(parseRequest(pem.replaceAll('\n', '\r\n')).commonName).toBe('an odd one')
  expect(parseRequest(pem.replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST')).key.bits).toBe(2048)
})

test('a request that was changed, or signed with another key, proves nothing', () => {
  const lines = request('/CN=a').split('\n')
  const der = Buffer.from(lines.slice(1, -2).join(''), 'base64')
  const encode = (bytes: Buffer) => [lines[0], bytes.toString('base64'), lines.at(-2)].join('\n')
  expect(parseRequest(encode(der)).commonName).toBe('a')

  // Behind the head of the whole, four bytes long, lies what is signed, with such a head of its own.
  const signedEnd = 8 + der.readUInt16BE(6)
  fc.assert(
    fc.property(fc.integer({ min: 4, max: signedEnd - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(der)
      changed.writeUInt8(der.readUInt8(at) ^ change, at)
      expect(() => parseRequest(encode(changed))).toThrow(PkiError)
    }),
  )
})

test('anything else is refused with a PkiError, never with a crash', () => {
  const wrap = (body: string) => `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----`
  expect(() => parseRequest('')).toThrow(PkiError)
  expect(() => parseRequest(wrap('AAAA'))).toThrow(PkiError)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, text) => {
      expect(() => parseRequest(wrap(Buffer.from(bytes).toString('base64')))).toThrow(PkiError)
      expect(() => parseRequest(text)).toThrow(PkiError)
    }),
  )
})
