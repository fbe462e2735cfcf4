import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fingerprintOf } from '../support/certificates.js'
import { type Caller, type Doors, knock, letIn, makeDoors, operatorName, statusOf } from '../support/doors.js'
import { type System, startEmbedded, until } from '../support/system.js'
import { handshake } from '../support/tls-probes.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
let system: System
let doors: Doors

beforeAll(async () => {
  doors = await makeDoors()
  system = await startEmbedded({ ...doors.env, BUSBAR_GATEWAY_TRUST_POLL_SECONDS: '1' })
  await system.api.expect('POST', '/trust-anchors', { name: 'Stations', certificate: doors.stationRoot.certificate })
})
afterAll(async () => {
  await system?.stop()
  await doors?.remove()
})

const plainly = (caller: Caller) => knock(system.urls[0] ?? '', doors, caller)
const overTls = (caller: Caller) => knock(system.secureUrls[0] ?? '', doors, caller)
const issue = (commonName: string) => doors.stationRoot.issue({ commonName, organization: operatorName })

test('TC_083: a station climbs from profile 1 to 3, and is let in below no more', async () => {
  const id = 'CLIMBER'
  await system.api.registerStation(id, password, { serialNumber: 'SN-1' })
  const identity = await issue('SN-1')
  const basic = () => statusOf(plainly({ id, password }))
  const basicOverTls = () => statusOf(overTls({ id, password }))
  const certificate = () => statusOf(overTls({ id, identity }))
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
  expect(await statusOf(overTls({ id, password }))).toBe(101)
  await until('profile 2 in the books', async () => {
    return (await system.api.get<{ provenProfile: number }>(`/stations/${id}`)).provenProfile === 2
  })
  await system.gateways[0]?.stop()
  await system.restartGateway(0)

  expect(await statusOf(plainly({ id, password }))).toBe(403)
  expect(await statusOf(overTls({ id, password }))).toBe(101)
})

test('T6: revoked over the API, a certificate closes its socket within 60 s and shows up among the refused', async () => {
  const id = 'REVOKED'
  await system.api.expect('POST', '/stations', { id, securityProfile: 3 })
  const identity = await issue(id)
  const station = await letIn(overTls({ id, identity }))
  const closed = once(station, 'close')

  const startedAt = performance.now()
  await system.api.expect('POST', '/revoked-certificates', { certificate: identity.certificate, stationId: id })
  expect(await closed).toMatchObject([1008, expect.anything()])
  console.log(`T6: revoked and closed after ${Math.round(performance.now() - startedAt)} ms`)
  expect(performance.now() - startedAt).toBeLessThan(60_000)

  expect(await statusOf(overTls({ id, identity }))).toBe(403)
  const { items } = await system.api.get<{ items: { stationId: string; reason: string }[] }>('/refused-attempts')
  expect(items[0]).toMatchObject({ stationId: id, reason: 'certificate-revoked', count: 1, address: '127.0.0.1' })
})

test('SIGHUP takes a new server certificate into use and closes no socket', async () => {
  await system.api.registerStation('STAYS', password)
  const station = await letIn(overTls({ id: 'STAYS', password }))
  const renewed = await doors.renew('ec')
  system.gateways[0]?.signal('SIGHUP')

  await until(
    'the new certificate',
    async () => {
      const socket = await handshake(Number(new URL(system.secureUrls[0] ?? '').port), doors.serverRoot.certificate)
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
