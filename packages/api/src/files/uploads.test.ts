import { randomBytes, randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { FileNotFoundError, openLocalFileStore } from '@busbar/files'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi } from '../testing.js'
import { type FilesApi, maxUploadBytes, startFilesApi } from './testing.js'

let api: FilesApi
beforeAll(async () => {
  api = await startFilesApi()
})
afterAll(() => api.stop())

const put = (address: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  fetch(address, { method: 'PUT', body: body as never, headers })

test.each(['PUT', 'POST'])(
  'what a station sends comes whole with %s, once, and an operator gets the very bytes',
  async (method) => {
    const { address, file, read } = await api.askForDiagnostics()
    const bytes = randomBytes(300_000)

    expect(address.startsWith(`${api.base}/files/uploads/`)).toBe(true)
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
  },
)

test('what a station sends comes as a form, and under a name that the station puts behind the address', async () => {
  const { address, read } = await api.askForDiagnostics()
  const form = new FormData()
  form.set('comment', 'from a station')
  form.set('file', new Blob(['<script>alert(1)</script>'], { type: 'text/html' }), '../../etc/passwd')

  expect((await fetch(`${address}/diagnostics.html`, { method: 'POST', body: form })).status).toBe(201)
  const got = await read()
  expect(got.bytes.toString()).toBe('<script>alert(1)</script>')
  expect(got).toMatchObject({ 'content-type': 'application/octet-stream' })
})

test('what a station sends comes in pieces', async () => {
  const { address, file, read } = await api.askForDiagnostics()

  const first = await put(address, 'hello ', { 'content-range': 'bytes 0-5/11' })
  expect([first.status, first.headers.get('range')]).toEqual([202, 'bytes=0-5'])
  expect((await file()).completedAt).toBeNull()
  expect((await put(address, 'lo', { 'content-range': 'bytes 3-4/11' })).status).toBe(409)
  expect((await put(address, 'wor', { 'content-range': 'bytes 7-9/11' })).headers.get('range')).toBe('bytes=0-5')
  expect((await put(address, 'world', { 'content-range': 'bytes 6-9/11' })).status).toBe(400)
  expect((await put(address, 'world', { 'content-range': 'bytes 6-10/11' })).status).toBe(201)
  expect((await read()).bytes.toString()).toBe('hello world')
})

test('what a station sends goes on where the connection broke, and what is not taken up begins anew', async () => {
  const { address, file, read } = await api.askForDiagnostics()
  await breakOff(address, 'hello ', 11)
  await expect.poll(async () => (await fetch(address, { method: 'HEAD' })).headers.get('range')).toBe('bytes=0-5')
  expect(await file()).toMatchObject({ bytes: 6n, completedAt: null })

  await put(address, 'wo', { 'content-range': 'bytes 6-7/11' })
  expect((await put(address, 'all of it')).status).toBe(201)
  expect((await read()).bytes.toString()).toBe('all of it')
})

test('what a station sends is refused above the limit, with or without a word about its length, and leaves the address open', async () => {
  const { address, read } = await api.askForDiagnostics()
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

test('what a station sends is refused in too many pieces', async () => {
  const { address, file } = await api.askForDiagnostics()
  const pieces = Array.from({ length: 500 }, () => ({ key: 'uploads/none', bytes: 1 }))
  await api.database.prisma.stationFile.update({ where: { id: (await file()).id }, data: { bytes: 500, pieces } })

  expect((await put(address, 'x', { 'content-range': 'bytes 500-500/501' })).status).toBe(413)
  expect((await put(address, 'all of it')).status).toBe(201)
})

test('an empty request uses nothing up', async () => {
  const { address } = await api.askForDiagnostics()

  expect((await put(address, '')).status).toBe(400)
  expect((await put(address, 'x')).status).toBe(201)
})

test('of two at once one is kept', async () => {
  const { address, read } = await api.askForDiagnostics()
  const answers = await Promise.all(['one', 'two', 'six'].map((body) => put(address, body)))

  const statuses = answers.map(({ status }) => status).sort()
  expect(statuses[0]).toBe(201)
  expect(statuses.slice(1).every((status) => status === 409 || status === 410)).toBe(true)
  expect((await read()).bytes.length).toBe(3)
})

test('what a station sends goes nowhere with a wrong or expired address', async () => {
  const { address, file } = await api.askForDiagnostics()
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

test('what a station sends is deleted by an operator, and its address with it', async () => {
  const { address, file } = await api.askForDiagnostics()
  await put(address, 'first ', { 'content-range': 'bytes 0-5/10' })
  const { id, pieces } = await file()
  const [{ key }] = pieces as [{ key: string }]

  expect((await api.request('operator', { method: 'DELETE', url: `/v1/files/${id}` })).statusCode).toBe(204)
  await expect(openLocalFileStore({ folder: api.folder }).read(key)).rejects.toThrow(FileNotFoundError)
  expect((await put(address, 'more', { 'content-range': 'bytes 6-9/10' })).status).toBe(403)
  expect((await api.request('operator', { url: `/v1/files/${id}/content` })).statusCode).toBe(404)
})

test('what a station sends is shown beside its transfer', async () => {
  const { address, commandId } = await api.askForDiagnostics()
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
    const before = api.storedBytes()
    request.write(body)
    void expect
      .poll(() => api.storedBytes())
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
