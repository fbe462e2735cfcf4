import { createPrivateKey, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { certificateRequest, type KeyType, selfSigned, TestAuthority } from './certificates.js'

test.each<[KeyType, KeyType]>([
  ['ec', 'rsa'],
  ['rsa', 'ec'],
])('an authority (%s) vouches for what it issues (%s), over an intermediate too', async (rootType, leafType) => {
  const root = await TestAuthority.create('Root', rootType)
  const intermediate = await root.intermediate()
  const issued = await intermediate.issue({ commonName: 'SN-1', organization: 'Operator', keyType: leafType })
  const leaf = new X509Certificate(issued.certificate)
  const between = new X509Certificate(intermediate.certificate)

  expect(leaf.subject).toBe('CN=SN-1\nO=Operator')
  expect(leaf.verify(between.publicKey)).toBe(true)
  expect(between.verify(new X509Certificate(root.certificate).publicKey)).toBe(true)
  expect(issued.chain).toBe(issued.certificate + intermediate.certificate)
  expect(leaf.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(issued.fingerprint)
})

test('a request is signed for the key that asked', async () => {
  const root = await TestAuthority.create()
  const { csr, key } = await certificateRequest({ commonName: 'SN-1', organization: 'Operator' })

  const leaf = new X509Certificate((await root.signRequest(csr)).certificate)

  expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true)
  expect(leaf.subject).toBe('CN=SN-1\nO=Operator')
})

test("a self-signed certificate is nobody else's", async () => {
  const own = new X509Certificate((await selfSigned({ commonName: 'SN-1' })).certificate)

  expect(own.issuer).toBe('CN=SN-1')
  expect(own.verify(own.publicKey)).toBe(true)
})
