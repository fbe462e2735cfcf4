import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FilesApi, startFilesApi } from '../files/testing.js'

let api: FilesApi
beforeAll(async () => {
  api = await startFilesApi()
})
afterAll(() => api.stop())

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
  const response = await api.post(path, body)

  expect(response.statusCode).toBe(202)
  expect(response.json()).toMatchObject({ action })
  expect(await api.payloadOf(response.json().id)).toEqual(payload)
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
  const response = await api.post(path, body)

  expect(response.statusCode).toBe(422)
  expect(response.json().errors[0].pointer).toMatch(/^\//)
  expect(await api.database.prisma.command.count()).toBe(before)
})

test('the same wish under one idempotency key is one command with one address', async () => {
  const headers = { 'idempotency-key': 'once' }
  const before = await api.database.prisma.stationFile.count()
  const first = await api.post('log', { type: 'security' }, headers)
  const second = await api.post('log', { type: 'security' }, headers)

  expect(second.statusCode).toBe(202)
  expect(second.json().id).toBe(first.json().id)
  expect(await api.database.prisma.stationFile.count()).toBe(before + 1)
  expect((await api.post('log', { type: 'diagnostics' }, headers)).statusCode).toBe(409)
})
