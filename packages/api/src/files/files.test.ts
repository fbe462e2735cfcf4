import { randomBytes, randomUUID, sign } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { FileNotFoundError, type FileStore, openLocalFileStore } from '@busbar/files'
import { createAuthority, type IssuingAuthority } from '@busbar/pki'
import { Vault } from '@busbar/store'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'
import { FileAddresses } from './addresses.js'
import { parseContentRange, parseRange } from './ranges.js'

let api: TestApi
let base: string
let signer: IssuingAuthority
const maxUploadBytes = 1_000_000

/** Bytes that found their way to the store, whatever became of them. */
let storedBytes = 0
const folder = mkdtempSync(path.join(tmpdir(), 'busbar-files-'))

function watched(store: FileStore): FileStore {
  async function* watch(content: AsyncIterable<Uint8Array>) {
    for await (const piece of content) {
      storedBytes += piece.byteLength
      yield piece
    }
  }
  return { ...store, put: (key, content, limit) => store.put(key, watch(content), limit) }
}

beforeAll(async () => {
  signer = (
    await createAuthority({
      name: 'Maker',
      organization: 'Maker',
      algorithm: 'ec-p256',
      rsaPadding: 'pkcs1',
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
    })
  ).issuing
  api = await startTestApi({
    config: { maxUploadBytes, maxFirmwareBytes: 3_000_000 },
    ports: { files: watched(openLocalFileStore({ folder })) },
  })
  base = await api.app.listen({ host: '127.0.0.1', port: 0 })
  await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id: 'CS-16' } })
  await api.database.prisma.stationState.create({ data: { stationId: 'CS-16', protocol: 'ocpp1.6' } })
})
afterAll(async () => {
  await api.stop()
  await rm(folder, { recursive: true })
})

const post = (path: string, payload: object, headers: Record<string, string> = {}) =>
  api.request('operator', { method: 'POST', url: `/v1/stations/CS-16/${path}`, payload, headers })

async function payloadOf(commandId: string): Promise<Record<string, unknown>> {
  const { payload } = await api.database.prisma.command.findUniqueOrThrow({ where: { id: commandId } })
  return payload as Record<string, unknown>
}

/** A fresh address, as a station would be told it. */
async function askForDiagnostics() {
  const { id } = (await post('diagnostics', {})).json()
  const address = String((await payloadOf(id)).location)
  const file = () => api.database.prisma.stationFile.findFirstOrThrow({ where: { commandId: id } })
  const read = async () => {
    const response = await api.request('operator', { url: `/v1/files/${(await file()).id}/content` })
    return { ...response.headers, bytes: response.rawPayload }
  }
  return { address, commandId: String(id), file, read }
}

const put = (address: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  fetch(address, { method: 'PUT', body: body as never, headers })

describe('what stations send', () => {
  test.each(['PUT', 'POST'])('comes whole with %s, once, and an operator gets the very bytes', async (method) => {
    const { address, file, read } = await askForDiagnostics()
    const bytes = randomBytes(300_000)

    expect(address.startsWith(`${base}/files/uploads/`)).toBe(true)
    expect((await fetch(address, { method, body: bytes })).status).toBe(201)
    expect(await file()).toMatchObject({ bytes: 300_000n, completedAt: expect.any(Date) })
    const got = await read()
    expect(got.bytes.equals(bytes)).toBe(true)
    expect(got).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': expect.stringMatching(/^attachment; /),
      'x-content-type-options': 'nosniff',
    })
    expect((await put(address, 'again')).status).toBe(410)
    expect((await read()).bytes.equals(bytes)).toBe(true)
  })

  test('comes as a form, and under a name that the station puts behind the address', async () => {
    const { address, read } = await askForDiagnostics()
    const form = new FormData()
    form.set('comment', 'from a station')
    form.set('file', new Blob(['<script>alert(1)</script>'], { type: 'text/html' }), '../../etc/passwd')

    expect((await fetch(`${address}/diagnostics.html`, { method: 'POST', body: form })).status).toBe(201)
    const got = await read()
    expect(got.bytes.toString()).toBe('<script>alert(1)</script>')
    expect(got).toMatchObject({ 'content-type': 'application/octet-stream' })
  })

  test('comes in pieces', async () => {
    const { address, file, read } = await askForDiagnostics()

    const first = await put(address, 'hello ', { 'content-range': 'bytes 0-5/11' })
    expect([first.status, first.headers.get('range')]).toEqual([202, 'bytes=0-5'])
    expect((await file()).completedAt).toBeNull()
    expect((await put(address, 'lo', { 'content-range': 'bytes 3-4/11' })).status).toBe(409)
    expect((await put(address, 'wor', { 'content-range': 'bytes 7-9/11' })).headers.get('range')).toBe('bytes=0-5')
    expect((await put(address, 'world', { 'content-range': 'bytes 6-9/11' })).status).toBe(400)
    expect((await put(address, 'world', { 'content-range': 'bytes 6-10/11' })).status).toBe(201)
    expect((await read()).bytes.toString()).toBe('hello world')
  })

  test('goes on where the connection broke, and what is not taken up begins anew', async () => {
    const { address, file, read } = await askForDiagnostics()
    await breakOff(address, 'hello ', 11)
    await expect.poll(async () => (await fetch(address, { method: 'HEAD' })).headers.get('range')).toBe('bytes=0-5')
    expect(await file()).toMatchObject({ bytes: 6n, completedAt: null })

    await put(address, 'wo', { 'content-range': 'bytes 6-7/11' })
    expect((await put(address, 'all of it')).status).toBe(201)
    expect((await read()).bytes.toString()).toBe('all of it')
  })

  test('is refused above the limit, with or without a word about its length, and leaves the address open', async () => {
    const { address, read } = await askForDiagnostics()
    const large = randomBytes(maxUploadBytes + 1)

    expect((await put(address, large)).status).toBe(413)
    expect(await sendInChunks(address, large)).toBe(413)
    const range = `bytes 0-9/${maxUploadBytes + 1}`
    expect((await put(address, '0123456789', { 'content-range': range })).status).toBe(413)
    const form = new FormData()
    form.set('file', new Blob([large]))
    expect((await fetch(address, { method: 'POST', body: form })).status).toBe(413)
    expect((await put(address, large.subarray(1))).status).toBe(201)
    expect((await read()).bytes.equals(large.subarray(1))).toBe(true)
  })

  test('is refused in too many pieces', async () => {
    const { address, file } = await askForDiagnostics()
    const pieces = Array.from({ length: 500 }, () => ({ key: 'uploads/none', bytes: 1 }))
    await api.database.prisma.stationFile.update({ where: { id: (await file()).id }, data: { bytes: 500, pieces } })

    expect((await put(address, 'x', { 'content-range': 'bytes 500-500/501' })).status).toBe(413)
    expect((await put(address, 'all of it')).status).toBe(201)
  })

  test('an empty request uses nothing up', async () => {
    const { address } = await askForDiagnostics()

    expect((await put(address, '')).status).toBe(400)
    expect((await put(address, 'x')).status).toBe(201)
  })

  test('of two at once one is kept', async () => {
    const { address, read } = await askForDiagnostics()
    const answers = await Promise.all(['one', 'two', 'six'].map((body) => put(address, body)))

    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses[0]).toBe(201)
    expect(statuses.slice(1).every((status) => status === 409 || status === 410)).toBe(true)
    expect((await read()).bytes.length).toBe(3)
  })

  test('goes nowhere with a wrong or expired address', async () => {
    const { address, file } = await askForDiagnostics()
    const { id } = await file()
    const permit = address.split('/').at(-1) ?? ''

    for (const wrong of [
      address.replace(id, randomUUID()),
      address.slice(0, -1),
      `${address}A`,
      address.replace(permit, 'x'),
    ]) {
      expect((await put(wrong, 'x')).status).toBe(403)
    }
    await api.database.prisma.stationFile.update({ where: { id }, data: { expiresAt: new Date() } })
    expect((await put(address, 'x')).status).toBe(403)
    expect((await fetch(address, { method: 'HEAD' })).status).toBe(403)
  })

  test('is deleted by an operator, and its address with it', async () => {
    const { address, file } = await askForDiagnostics()
    await put(address, 'first ', { 'content-range': 'bytes 0-5/10' })
    const { id, pieces } = await file()
    const [{ key }] = pieces as [{ key: string }]

    expect((await api.request('operator', { method: 'DELETE', url: `/v1/files/${id}` })).statusCode).toBe(204)
    await expect(openLocalFileStore({ folder }).read(key)).rejects.toThrow(FileNotFoundError)
    expect((await put(address, 'more', { 'content-range': 'bytes 6-9/10' })).status).toBe(403)
    expect((await api.request('operator', { url: `/v1/files/${id}/content` })).statusCode).toBe(404)
  })

  test('is shown beside its transfer', async () => {
    const { address, commandId } = await askForDiagnostics()
    const at = new Date()
    const row = { id: randomUUID(), stationId: 'CS-16', kind: 'diagnostics', commandId, requestedAt: at, updatedAt: at }
    await api.database.prisma.transfer.create({ data: { ...row, state: 'accepted', answer: 'accepted' } })
    const list = async () => (await api.request('viewer', { url: '/v1/stations/CS-16/transfers' })).json().items

    expect(await list()).toMatchObject([{ commandId, status: null, file: { bytes: 0, complete: false } }])
    await put(address, 'log')
    expect(await list()).toMatchObject([{ file: { bytes: 3, complete: true, completedAt: expect.any(String) } }])
  })

  /** Says that more will come, and hangs up. */
  function breakOff(address: string, body: string, length: number): Promise<void> {
    return new Promise((resolve) => {
      const request = httpRequest(address, { method: 'PUT', headers: { 'content-length': length } })
      request.on('error', () => resolve())
      const before = storedBytes
      request.write(body)
      void expect
        .poll(() => storedBytes)
        .toBe(before + body.length)
        .then(() => request.destroy(new Error('hung up')))
    })
  }

  function sendInChunks(address: string, body: Uint8Array): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(address, { method: 'POST' }, (response) => resolve(response.statusCode))
      request.on('error', reject)
      request.write(body.subarray(0, maxUploadBytes))
      request.end(body.subarray(maxUploadBytes))
    })
  }
})

describe('firmware', () => {
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
    const { id } = (await post('firmware/update', { firmwareId, ...rest })).json()
    return String((await payloadOf(id)).location)
  }

  test('is uploaded, listed, read and deleted', async () => {
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
    expect((await post('firmware/update', { firmwareId: id })).statusCode).toBe(404)
  })

  test.each(['', '..', '.hidden', 'a/b', 'a%2Fb', 'a%00b'])('is refused under the name %j', async (name) => {
    const response = await api.request('operator', {
      method: 'POST',
      url: `/v1/firmware?fileName=${name}&version=1`,
      payload: image,
    })
    expect(response.statusCode).toBe(400)
  })

  test('is refused above the limit', async () => {
    const response = await fetch(`${base}/v1/firmware?fileName=a&version=1`, {
      method: 'POST',
      body: randomBytes(3_000_001),
      headers: { authorization: `Bearer ${api.keys.operator}` },
    })
    expect(response.status).toBe(413)
  })

  test('is fetched whole or in parts, by its address alone', async () => {
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

  test('is not given to a wrong or expired address', async () => {
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
    const addresses = new FileAddresses(new Vault('a test secret'), () => base)
    expect((await fetch(addresses.toFirmware(id, 'one.bin', new Date(Date.now() + 9_000)))).status).toBe(200)
    expect((await fetch(addresses.toFirmware(id, 'one.bin', new Date(Date.now() - 1_000)))).status).toBe(403)
  })

  test('stays reachable until well after the time it is to be fetched', async () => {
    const { id } = await upload()
    const address = await addressOf(id, { retrieveAt: '2030-01-01T00:00:00Z' })

    expect(Number(/\/(\d{6,})\./.exec(address)?.[1])).toBe(Date.parse('2030-01-04T00:00:00Z') / 1000)
  })

  test('is sent with its signature only when that fits, unless the operator gives one (TC_080, TC_081)', async () => {
    const { id } = await upload()
    const { certificate, signature } = signed(image)
    const sendSigned = (rest: object = {}) => post('firmware/update-signed', { firmwareId: id, ...rest })
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
    expect(await payloadOf(free.json().id)).toMatchObject({
      firmware: { signature: 'anything', signingCertificate: certificate },
    })

    await setSignature({ signingCertificate: certificate, signature })
    const good = await sendSigned({ installAt: '2030-01-01T00:00:00Z' })
    expect(good.json()).toMatchObject({ action: 'SignedUpdateFirmware', warnings: [] })
    expect(await payloadOf(good.json().id)).toMatchObject({
      firmware: { signature, signingCertificate: certificate, installDateTime: '2030-01-01T00:00:00.000Z' },
    })
  })

  function signed(content: Uint8Array) {
    return { certificate: signer.certificate, signature: sign('sha256', content, signer.privateKey).toString('base64') }
  }
})

describe('what an operator asks for', () => {
  const location = 'ftp://me:hunter2@files.example/x'
  test.each([
    [
      'firmware/update',
      { location, retrieveAt: '2030-01-01T00:00:00+01:00', retries: 2, retryIntervalSeconds: 60 },
      'UpdateFirmware',
      { location, retrieveDate: '2029-12-31T23:00:00.000Z', retries: 2, retryInterval: 60 },
    ],
    [
      'diagnostics',
      { location, from: '2030-01-01T00:00:00Z', to: '2030-01-02T00:00:00Z' },
      'GetDiagnostics',
      { location, startTime: '2030-01-01T00:00:00.000Z', stopTime: '2030-01-02T00:00:00.000Z' },
    ],
    [
      'log',
      { type: 'security', location, from: '2030-01-01T00:00:00Z', retries: 0 },
      'GetLog',
      {
        logType: 'SecurityLog',
        log: { remoteLocation: location, oldestTimestamp: '2030-01-01T00:00:00.000Z' },
        retries: 0,
      },
    ],
    [
      'log',
      { type: 'diagnostics', location },
      'GetLog',
      { logType: 'DiagnosticsLog', log: { remoteLocation: location } },
    ],
    [
      'firmware/update-signed',
      { location, signingCertificate: 'PEM', signature: 'AA', retrieveAt: '2030-01-01T00:00:00Z' },
      'SignedUpdateFirmware',
      {
        firmware: {
          location,
          retrieveDateTime: '2030-01-01T00:00:00.000Z',
          signingCertificate: 'PEM',
          signature: 'AA',
        },
      },
    ],
  ])('%s %j becomes %s', async (path, body, action, payload) => {
    const response = await post(path, body)

    expect(response.statusCode).toBe(202)
    expect(response.json()).toMatchObject({ action })
    expect(await payloadOf(response.json().id)).toEqual(payload)
    const shown = await api.request('viewer', { url: `/v1/commands/${response.json().id}` })
    expect(shown.body).not.toContain('hunter2')
  })

  test.each([
    ['diagnostics', { location: 'file:///etc/passwd' }],
    ['diagnostics', { location: 'javascript:alert(1)' }],
    ['diagnostics', { location: 'not an address' }],
    ['log', { type: 'security', location: 'gopher://x/' }],
    ['firmware/update', { location: 'data:,x' }],
    ['firmware/update-signed', { location: 'ws://x', signingCertificate: 'PEM', signature: 'AA' }],
    ['firmware/update-signed', { location: 'https://x' }],
    ['firmware/update-signed', { firmwareId: randomUUID(), location: 'https://x' }],
    ['firmware/update-signed', {}],
    ['diagnostics', { from: '2030-01-02T00:00:00Z', to: '2030-01-01T00:00:00Z' }],
  ])('%s %j is refused with a reason, and nothing is sent', async (path, body) => {
    const before = await api.database.prisma.command.count()
    const response = await post(path, body)

    expect(response.statusCode).toBe(422)
    expect(response.json().errors[0].pointer).toMatch(/^\//)
    expect(await api.database.prisma.command.count()).toBe(before)
  })

  test('the same wish under one idempotency key is one command with one address', async () => {
    const headers = { 'idempotency-key': 'once' }
    const before = await api.database.prisma.stationFile.count()
    const first = await post('log', { type: 'security' }, headers)
    const second = await post('log', { type: 'security' }, headers)

    expect(second.statusCode).toBe(202)
    expect(second.json().id).toBe(first.json().id)
    expect(await api.database.prisma.stationFile.count()).toBe(before + 1)
    expect((await post('log', { type: 'diagnostics' }, headers)).statusCode).toBe(409)
  })
})

test.each([
  [undefined, null],
  ['bytes=0-', { first: 0, last: 99 }],
  ['bytes=5-5', { first: 5, last: 5 }],
  ['bytes=90-200', { first: 90, last: 99 }],
  ['bytes=-10', { first: 90, last: 99 }],
  ['bytes=-1000', { first: 0, last: 99 }],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=9-5', null],
  ['bytes=-', null],
  ['bytes=0-1,5-6', null],
  ['items=0-1', null],
])('of 100 bytes Range %s means %j', (header, range) => {
  expect(parseRange(header, 100)).toEqual(range)
})

test.each([
  [undefined, null],
  ['bytes 0-9/10', { first: 0, last: 9, total: 10 }],
  ['bytes 0-9/*', { first: 0, last: 9, total: null }],
  ['bytes 0-10/10', 'invalid'],
  ['bytes 9-0/10', 'invalid'],
  ['bytes */10', 'invalid'],
  ['0-9/10', 'invalid'],
])('Content-Range %s means %j', (header, range) => {
  expect(parseContentRange(header)).toEqual(range)
})

test('a request that does not arrive in time is cut off; a file may take longer', async () => {
  const slow = await startTestApi({ config: { requestTimeoutMs: 150 } })
  try {
    const url = await slow.app.listen({ host: '127.0.0.1', port: 0 })
    const headers = {
      authorization: `Bearer ${slow.keys.operator}`,
      'content-length': 4,
      'content-type': 'application/json',
    }
    const send = (path: string) => {
      const request = httpRequest(`${url}${path}`, { method: 'POST', headers })
      const ended = new Promise<number | string>((resolve) => {
        request.on('response', ({ statusCode = 0 }) => resolve(statusCode))
        request.on('error', () => resolve('cut off'))
      })
      request.write('12')
      return { ended, finish: () => request.end('34') }
    }
    const upload = send('/v1/firmware?fileName=a&version=1')
    const other = send('/v1/stations')

    expect(await other.ended).toBe('cut off')
    upload.finish()
    expect(await upload.ended).toBe(201)
  } finally {
    await slow.stop()
  }
})
