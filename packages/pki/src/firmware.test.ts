import { constants, generateKeyPairSync, sign } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PkiError } from './errors.js'
import { verifyFirmwareSignature } from './firmware.js'
import { opensslFolder } from './testing.js'

const folder = opensslFolder()
const { openssl, write, read } = folder
afterAll(() => folder.remove())

const firmware = Buffer.from('a firmware image of many bytes'.repeat(1000))
const pieces = [firmware.subarray(0, 10), firmware.subarray(10, 20_000), firmware.subarray(20_000)]
const keys: Record<string, string> = {}
const certificates: Record<string, string> = {}

beforeAll(() => {
  for (const [name, ...options] of [
    ['rsa', '-newkey', 'rsa:2048'],
    ['pss', '-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'],
    ['ec', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ['ed', '-newkey', 'ed25519'],
  ] as const) {
    openssl('req', '-x509', '-nodes', ...options, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', '/CN=maker')
    keys[name] = read(`${name}.key`).toString()
    certificates[name] = read(`${name}.pem`).toString()
  }
})

test.each([
  ['rsa', constants.RSA_PKCS1_PADDING],
  ['rsa', constants.RSA_PKCS1_PSS_PADDING],
  ['pss', constants.RSA_PKCS1_PSS_PADDING],
  ['ec', undefined],
])('a signature made with %s (padding %s) holds, and for no other file', async (name, padding) => {
  const key = { key: keys[name] ?? '', ...(padding !== undefined && { padding }) }
  const signature = sign('sha256', firmware, key).toString('base64')

  expect(await verifyFirmwareSignature(pieces, signature, certificates[name] ?? '')).toBe(true)
  expect(await verifyFirmwareSignature([...pieces, Buffer.from('!')], signature, certificates[name] ?? '')).toBe(false)
})

test('what openssl signed on the command line holds', async () => {
  write('firmware.bin', firmware)
  openssl('dgst', '-sha256', '-sign', 'ec.key', '-out', 'signature', 'firmware.bin')

  const signature = read('signature').toString('base64')
  expect(await verifyFirmwareSignature(pieces, signature, certificates.ec ?? '')).toBe(true)
  expect(await verifyFirmwareSignature(pieces, signature, certificates.rsa ?? '')).toBe(false)
})

test('what can be no signature and no certificate is an error, not a no', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = String(publicKey.export({ format: 'pem', type: 'spki' }))

  await expect(verifyFirmwareSignature(pieces, '%%%', certificates.rsa ?? '')).rejects.toThrow(PkiError)
  await expect(verifyFirmwareSignature(pieces, 'AAAA', spki)).rejects.toThrow(PkiError)
  await expect(verifyFirmwareSignature(pieces, 'AAAA', certificates.ed ?? '')).rejects.toThrow(PkiError)
})
