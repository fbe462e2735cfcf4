import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { StationSocket, UpgradeRefused, VirtualStation } from '@busbar/simulator'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type System, startEmbedded, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
let system: System
let neighbour: VirtualStation

beforeAll(async () => {
  system = await startEmbedded()
  await system.api.registerToken('TOKEN-1')
  await system.api.registerStation('NEIGHBOUR', password)
  neighbour = new VirtualStation({ id: 'NEIGHBOUR', protocol: 'ocpp1.6', urls: system.urls, password })
  await neighbour.start()
})
afterAll(async () => {
  await neighbour.stop()
  await system.stop()
})
// Whatever a test did: the process lives, and the neighbour's connection never noticed.
afterEach(async () => {
  expect(neighbour.isOnline).toBe(true)
  expect(await neighbour.call({ action: 'Heartbeat', payload: {} })).toMatchObject({ kind: 'result' })
})

async function booted(protocol: 'ocpp1.6' | 'ocpp2.0.1'): Promise<StationSocket> {
  const id = `BAD-${randomUUID().slice(0, 8)}`
  await system.api.registerStation(id, password)
  const socket = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: [protocol] })
  const boot =
    protocol === 'ocpp1.6'
      ? { chargePointVendor: 'Bad', chargePointModel: 'Input' }
      : { reason: 'PowerUp', chargingStation: { vendorName: 'Bad', model: 'Input' } }
  expect(await socket.call('BootNotification', boot)).toMatchObject({ kind: 'result', payload: { status: 'Accepted' } })
  return socket
}

/** The first CALLERROR after this text. */
async function errorAfter(socket: StationSocket, text: string): Promise<unknown[]> {
  const seen = socket.frames.length
  socket.send(text)
  return until('a CALLERROR', () => {
    const frame = socket.frames.slice(seen).find((each) => each.direction === 'in' && each.text.startsWith('[4'))
    return frame && (JSON.parse(frame.text) as unknown[])
  })
}

test.each([
  [
    'ocpp1.6',
    'wrong type',
    '[2,"m1","StatusNotification",{"connectorId":"x","errorCode":"NoError","status":"Available"}]',
    'm1',
    'TypeConstraintViolation',
  ],
  ['ocpp1.6', 'missing field', '[2,"m2","StatusNotification",{"connectorId":1}]', 'm2', 'OccurenceConstraintViolation'],
  ['ocpp1.6', 'unknown action', '[2,"m3","FlyToTheMoon",{}]', 'm3', 'NotImplemented'],
  [
    'ocpp2.0.1',
    'wrong type',
    '[2,"m4","StatusNotification",{"timestamp":"2026-01-01T00:00:00Z","connectorStatus":"Available","evseId":"x","connectorId":1}]',
    'm4',
    'TypeConstraintViolation',
  ],
  ['ocpp2.0.1', 'missing field', '[2,"m5","StatusNotification",{}]', 'm5', 'OccurrenceConstraintViolation'],
  ['ocpp2.0.1', 'unknown action', '[2,"m6","FlyToTheMoon",{}]', 'm6', 'NotImplemented'],
  ['ocpp2.0.1', 'broken JSON', '[2,"m7","Heartbeat",{', 'm7', 'RpcFrameworkError'],
  ['ocpp2.0.1', 'broken JSON without an id', '{', '-1', 'RpcFrameworkError'],
  ['ocpp2.0.1', 'unknown message type', '[9,"m8","Heartbeat",{}]', 'm8', 'MessageTypeNotSupported'],
] as const)(
  '%s: %s is answered with its error and the socket stays',
  async (protocol, _what, text, messageId, code) => {
    const socket = await booted(protocol)
    const [type, id, wireCode] = await errorAfter(socket, text)
    expect([type, id, wireCode]).toEqual([4, messageId, code])
    expect(await socket.call('Heartbeat', {})).toMatchObject({ kind: 'result' })
    socket.close()
  },
)

test.each(['{', '', 'null', '[]', '[2]', '{"a":1}', '[2,{},[],7]', '[3,"unknown",{}]', '[4,"unknown","GenericError"]'])(
  'the text %j does not end the connection',
  async (text) => {
    const socket = await booted('ocpp1.6')
    socket.send(text)
    expect(await socket.call('Heartbeat', {})).toMatchObject({ kind: 'result' })
    socket.close()
  },
)

test('a prototype in the payload pollutes nothing', async () => {
  const socket = await booted('ocpp1.6')
  socket.send(
    '[2,"p1","DataTransfer",{"vendorId":"x","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":1}}}]',
  )
  const { status } = (await socket.call('DataTransfer', { vendorId: 'x' })) as unknown as { status: string }
  expect(status).toBeUndefined()
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  socket.close()
})

test('NUL characters and lone surrogates are stored as far as Postgres can, and answered', async () => {
  const socket = await booted('ocpp1.6')
  const start = `[2,"n1","StartTransaction",{"connectorId":1,"idTag":"A\\u0000B\\ud800","meterStart":5,"timestamp":"2026-01-01T00:00:00Z"}]`
  socket.send(start)
  await until('the answer', () => socket.frames.some(({ text }) => text.startsWith('[3,"n1"')))
  socket.close()
})

test('a frame of 5 MB closes with 1009', async () => {
  const socket = await booted('ocpp1.6')
  socket.send(`[2,"big","DataTransfer",{"vendorId":"x","data":"${'x'.repeat(5 * 1024 * 1024)}"}]`)
  expect(await socket.closed).toMatchObject({ code: 1009 })
})

test.each([
  '/ocpp/../NEIGHBOUR/%2e%2e',
  '/ocpp/NEIGH%2fBOUR',
  '/ocpp/NEIGHBOUR%00',
  '/ocpp/NEIGHBOUR%0a',
  '/ocpp/%',
  '/ocpp/NEIGHBOUR%252f',
  '/ocpp/a:b',
  `/ocpp/${'x'.repeat(49)}`,
  '/ocpp/N%C3%89IGHBOUR',
  '/ocpp/',
])('the path %s is refused before the upgrade', async (path) => {
  const status = await new Promise<string>((resolve, reject) => {
    const socket = connect(system.gateways[0]?.port ?? 0, '127.0.0.1')
    const credentials = Buffer.from(`NEIGHBOUR:${password}`).toString('base64')
    socket.on('error', reject)
    socket.on('data', (data) => {
      resolve(data.toString('latin1').split('\r\n')[0] ?? '')
      socket.destroy()
    })
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: Basic ${credentials}\r\n\r\n`,
    )
  })
  expect(status).toMatch(/^HTTP\/1\.1 4\d\d /)
})

test('more failures than thirty a minute are throttled, and another station still gets in', async () => {
  await system.api.registerStation('BRUTE', password)
  const attempt = () =>
    StationSocket.open({ url: system.urls[0] ?? '', id: 'BRUTE', password: 'wrong', protocols: ['ocpp1.6'] }).catch(
      (cause: unknown) => (cause instanceof UpgradeRefused ? cause.status : 0),
    )
  const statuses: unknown[] = []
  for (let index = 0; index < 35; index += 1) statuses.push(await attempt())

  expect(statuses.slice(0, 30).every((status) => status === 401)).toBe(true)
  expect(statuses.at(-1)).toBe(429)
  ;(await booted('ocpp1.6')).close()
})

test('bad requests to the API are told what is wrong, as problem details', async () => {
  const answer = await system.api.request('POST', '/stations', { id: 'a/b' })
  expect(answer.status).toBe(400)
  expect(answer.body).toMatchObject({ status: 400, title: expect.any(String) })
  expect((await system.api.command('NOBODY', 'Reset', { type: 'Soft' })).status).toBe(404)
  expect((await system.api.command('NEIGHBOUR', 'Reset', { type: 'Sideways' })).status).toBe(422)
  expect((await system.api.command('NEIGHBOUR', 'FlyToTheMoon', {})).status).toBe(422)
})
