import { randomBytes, randomUUID, sign } from 'node:crypto'
import { createAuthority, type IssuingAuthority } from '@busbar/pki'
import { Vault } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FileAddresses } from './addresses.js'
import { type FilesApi, startFilesApi } from './testing.js'

let api: FilesApi
let signer: IssuingAuthority
beforeAll(async () => {
  const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) }
  const named = { name: 'Maker', organization: 'Maker', algorithm: 'ec-p256', rsaPadding: 'pkcs1' } as const
  signer = (await createAuthority({ ...named, ...validity })).issuing
  api = await startFilesApi()
})
afterAll(() => api.stop())

const image = randomBytes(100_000)
const upload = async (name = 'one.bin') => {
  const response = await api.request('operator', {
    method: 'POST',
    url: `/v1/firmware?fileName=${name}&version=1.2&vendor=ACME`,
    payload: image,
    headers: { 'content-type': 'application/octet-stream' },
  })
  expect(response.statusCode).toBe(201)
  return response.json()
}
const addressOf = async (firmwareId: string, rest: object = {}) => {
  const { id } = (await api.post('firmware/update', { firmwareId, ...rest })).json()
  return String((await api.payloadOf(id)).location)
}

test('firmware is uploaded, listed, read and deleted', async () => {
  const { id } = await upload()

  expect((await api.request('viewer', { url: `/v1/firmware/${id}` })).json()).toMatchObject({
    fileName: 'one.bin',
    version: '1.2',
    vendor: 'ACME',
    model: null,
    bytes: 100_000,
    signatureState: 'none',
  })
  expect((await api.request('viewer', { url: '/v1/firmware?limit=1' })).json().items).toMatchObject([{ id }])
  const address = await addressOf(id)
  expect((await api.request('operator', { method: 'DELETE', url: `/v1/firmware/${id}` })).statusCode).toBe(204)
  expect((await fetch(address)).status).toBe(404)
  expect((await api.post('firmware/update', { firmwareId: id })).statusCode).toBe(404)
})

test.each(['', '..', '.hidden', 'a/b', 'a%2Fb', 'a%00b'])('firmware is refused under the name %j', async (name) => {
  const response = await api.request('operator', {
    method: 'POST',
    url: `/v1/firmware?fileName=${name}&version=1`,
    payload: image,
  })
  expect(response.statusCode).toBe(400)
})

test('firmware is refused above the limit', async () => {
  const response = await fetch(`${api.base}/v1/firmware?fileName=a&version=1`, {
    method: 'POST',
    body: randomBytes(3_000_001),
    headers: { authorization: `Bearer ${api.keys.operator}` },
  })
  expect(response.status).toBe(413)
})

test('firmware is fetched whole or in parts, by its address alone', async () => {
  const { id, sha256 } = await upload()
  const address = await addressOf(id)

  const whole = await fetch(address)
  expect(whole.status).toBe(200)
  expect(Object.fromEntries(whole.headers)).toMatchObject({
    'content-length': '100000',
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    etag: `"${sha256}"`,
  })
  expect(Buffer.from(await whole.arrayBuffer()).equals(image)).toBe(true)

  const part = await fetch(address, { headers: { range: 'bytes=99000-', 'if-range': `"${sha256}"` } })
  expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 99000-99999/100000'])
  expect(Buffer.from(await part.arrayBuffer()).equals(image.subarray(99_000))).toBe(true)
  expect((await fetch(address, { headers: { range: 'bytes=0-9', 'if-range': '"another"' } })).status).toBe(200)
  const beyond = await fetch(address, { headers: { range: 'bytes=100000-' } })
  expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */100000'])

  const head = await fetch(address, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '100000', ''])
})

test('firmware is not given to a wrong or expired address', async () => {
  const { id } = await upload()
  const address = await addressOf(id)
  const later = String(Number(/\/(\d{6,})\./.exec(address)?.[1]) + 1)

  for (const wrong of [
    address.replace(id, randomUUID()),
    address.replace('one.bin', 'two.bin'),
    address.replace(/\/\d{6,}\./, `/${later}.`),
    address.replace(/\.[^./]+\/one/, './one'),
  ]) {
    expect((await fetch(wrong)).status).toBe(403)
  }
  const addresses = new FileAddresses(new Vault('a test secret'), () => api.base)
  expect((await fetch(addresses.toFirmware(id, 'one.bin', new Date(Date.now() + 9_000)))).status).toBe(200)
  expect((await fetch(addresses.toFirmware(id, 'one.bin', new Date(Date.now() - 1_000)))).status).toBe(403)
})

test('firmware stays reachable until well after the time it is to be fetched', async () => {
  const { id } = await upload()
  const address = await addressOf(id, { retrieveAt: '2030-01-01T00:00:00Z' })

  expect(Number(/\/(\d{6,})\./.exec(address)?.[1])).toBe(Date.parse('2030-01-04T00:00:00Z') / 1000)
})

test('firmware is sent with its signature only when that fits, unless the operator gives one (TC_080, TC_081)', async () => {
  const { id } = await upload()
  const { certificate, signature } = signed(image)
  const sendSigned = (rest: object = {}) => api.post('firmware/update-signed', { firmwareId: id, ...rest })
  const setSignature = async (body: object) =>
    api.request('operator', { method: 'PUT', url: `/v1/firmware/${id}/signature`, payload: body })

  expect((await sendSigned()).statusCode).toBe(422)
  const wrong = signed(randomBytes(10)).signature
  const kept = await setSignature({ signingCertificate: certificate, signature: wrong })
  expect(kept.json()).toMatchObject({ signatureState: 'invalid' })
  expect((await sendSigned()).json().errors[0].detail).toContain('invalid')
  expect((await setSignature({ signingCertificate: 'none', signature })).statusCode).toBe(422)

  const free = await sendSigned({ signature: 'anything' })
  expect(free.json().warnings).toHaveLength(1)
  expect(await api.payloadOf(free.json().id)).toMatchObject({
    firmware: { signature: 'anything', signingCertificate: certificate },
  })

  await setSignature({ signingCertificate: certificate, signature })
  const good = await sendSigned({ installAt: '2030-01-01T00:00:00Z' })
  expect(good.json()).toMatchObject({ action: 'SignedUpdateFirmware', warnings: [] })
  expect(await api.payloadOf(good.json().id)).toMatchObject({
    firmware: { signature, signingCertificate: certificate, installDateTime: '2030-01-01T00:00:00.000Z' },
  })
})

function signed(content: Uint8Array) {
  return { certificate: signer.certificate, signature: sign('sha256', content, signer.privateKey).toString('base64') }
}
