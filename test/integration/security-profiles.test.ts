import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { fingerprintOf, type Identity, TestAuthority } from '../support/certificates.js'
import { freePort, type System, startEmbedded, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
const draft = { commonName: 'localhost', hosts: ['127.0.0.1'], usage: 'server' } as const
let system: System
let folder: string
let tlsPort: number
let servers: TestAuthority
let stations: TestAuthority
const open: WebSocket[] = []

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'busbar-tls-'))
  ;[servers, stations, tlsPort] = await Promise.all([
    TestAuthority.create('Servers'),
    TestAuthority.create('Stations'),
    freePort(),
  ])
  await writeServer(await servers.issue({ ...draft, keyType: 'rsa' }))
  system = await startEmbedded({
    BUSBAR_GATEWAY_TLS_PORT: String(tlsPort),
    BUSBAR_GATEWAY_TLS_CERTIFICATES: path.join(folder, 'server.pem'),
    BUSBAR_GATEWAY_TLS_KEYS: path.join(folder, 'server.key'),
    BUSBAR_GATEWAY_TRUST_POLL_SECONDS: '1',
    BUSBAR_OPERATOR_NAME: 'Operator',
  })
  await system.api.expect('POST', '/trust-anchors', { name: 'Stations', certificate: stations.certificate })
})
afterAll(async () => {
  for (const socket of open) socket.terminate()
  await system.stop()
  await rm(folder, { recursive: true })
})

async function writeServer({ chain, key }: Identity): Promise<void> {
  await Promise.all([
    writeFile(path.join(folder, 'server.pem'), chain),
    writeFile(path.join(folder, 'server.key'), key),
  ])
}

/** @returns the open socket, or the status of the refusal */
async function connect(
  id: string,
  how: { tls?: boolean; password?: string; identity?: Identity },
): Promise<WebSocket | number> {
  const url = how.tls || how.identity ? `wss://127.0.0.1:${tlsPort}/ocpp` : (system.urls[0] ?? '')
  const options: ClientOptions = {
    ca: servers.certificate,
    ...(how.password && { auth: `${id}:${how.password}` }),
    ...(how.identity && { cert: how.identity.chain, key: how.identity.key }),
  }
  const socket = new WebSocket(`${url}/${id}`, ['ocpp1.6'], options)
  open.push(socket)
  return await new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket))
    socket.once('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode))
    socket.once('error', reject)
  })
}

const statusOf = async (attempt: Promise<WebSocket | number>) => {
  const result = await attempt
  return typeof result === 'number' ? result : 101
}

test('TC_083: a station climbs from profile 1 to 3, and is let in below no more', async () => {
  const id = 'CLIMBER'
  await system.api.registerStation(id, password, { serialNumber: 'SN-1' })
  const identity = await stations.issue({ commonName: 'SN-1', organization: 'Operator' })
  const basic = () => statusOf(connect(id, { password }))
  const basicOverTls = () => statusOf(connect(id, { password, tls: true }))
  const certificate = () => statusOf(connect(id, { identity }))
  const provenProfile = async () => (await system.api.get<{ provenProfile: number }>(`/stations/${id}`)).provenProfile

  expect([await basic(), await basicOverTls(), await basic(), await basicOverTls()]).toEqual([101, 101, 403, 101])
  await until('profile 2 in the books', async () => (await provenProfile()) === 2)
  await until('the trust anchor', async () => (await certificate()) === 101)
  expect([await basicOverTls(), await basic(), await certificate()]).toEqual([403, 403, 101])
  await until('profile 3 in the books', async () => (await provenProfile()) === 3)

  await system.api.expect('PATCH', `/stations/${id}`, { securityProfile: 1 })
  expect(await basic()).toBe(101)
})

test('a restart forgets nothing: the lower profile stays refused', async () => {
  const id = 'PINNED'
  await system.api.registerStation(id, password)
  expect(await statusOf(connect(id, { password, tls: true }))).toBe(101)
  await until('profile 2 in the books', async () => {
    return (await system.api.get<{ provenProfile: number }>(`/stations/${id}`)).provenProfile === 2
  })
  await system.gateways[0]?.stop()
  await system.restartGateway(0)

  expect(await statusOf(connect(id, { password }))).toBe(403)
  expect(await statusOf(connect(id, { password, tls: true }))).toBe(101)
})

test('T6: revoked over the API, a certificate closes its socket within 60 s and shows up among the refused', async () => {
  const id = 'REVOKED'
  await system.api.expect('POST', '/stations', { id, securityProfile: 3 })
  const identity = await stations.issue({ commonName: id, organization: 'Operator' })
  const station = await connect(id, { identity })
  if (typeof station === 'number') throw new Error(`refused with ${station}`)
  const closed = once(station, 'close')

  const startedAt = performance.now()
  await system.api.expect('POST', '/revoked-certificates', { certificate: identity.certificate, stationId: id })
  expect(await closed).toMatchObject([1008, expect.anything()])
  console.log(`T6: revoked and closed after ${Math.round(performance.now() - startedAt)} ms`)
  expect(performance.now() - startedAt).toBeLessThan(60_000)

  expect(await statusOf(connect(id, { identity }))).toBe(403)
  const { items } = await system.api.get<{ items: { stationId: string; reason: string }[] }>('/refused-attempts')
  expect(items[0]).toMatchObject({ stationId: id, reason: 'certificate-revoked', count: 1, address: '127.0.0.1' })
})

test('SIGHUP takes a new server certificate into use and closes no socket', async () => {
  await system.api.registerStation('STAYS', password)
  const station = await connect('STAYS', { password, tls: true })
  if (typeof station === 'number') throw new Error(`refused with ${station}`)
  const renewed = await servers.issue(draft)
  await writeServer(renewed)
  system.gateways[0]?.signal('SIGHUP')

  await until(
    'the new certificate',
    async () => {
      const socket = connectTls({ host: '127.0.0.1', port: tlsPort, ca: servers.certificate })
      await once(socket, 'secureConnect')
      const shown = socket.getPeerX509Certificate()?.toString() ?? ''
      socket.destroy()
      return fingerprintOf(shown) === renewed.fingerprint
      // Sooner than the files are looked at by themselves.
    },
    20_000,
  )
  station.send(JSON.stringify([2, '1', 'BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' }]))
  const [answer] = await once(station, 'message')
  expect(JSON.parse(String(answer))).toMatchObject([3, '1', { status: 'Accepted' }])
})
