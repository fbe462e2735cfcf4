import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Identity } from '../../../../test/support/certificates.js'
import type { GatewayConfig } from '../config.js'
import { stationRecord, type TestGateway, until } from '../testing.js'
import { makeTestPki, outcomeOf, startSecureGateway, type TestPki } from '../tls/testing.js'

let pki: TestPki
let identity: Identity

beforeAll(async () => {
  pki = await makeTestPki()
  identity = await (await pki.stationRoot.intermediate()).issue({ commonName: 'CP3', organization: 'Operator' })
})
afterAll(() => pki.remove())

/** Behind a proxy that ends TLS, which is whoever calls from this machine. */
async function start(config: Partial<GatewayConfig> = {}): Promise<TestGateway> {
  const behind = { trustedProxies: ['127.0.0.0/8'], certificateHeader: 'x-client-cert', operatorName: 'Operator' }
  const gateway = await startSecureGateway(pki, { ...behind, ...config })
  gateway.database.stations.push(
    stationRecord({ id: 'CP2', securityProfile: 2 }),
    stationRecord({ id: 'CP3', securityProfile: 3, secrets: [] }),
  )
  return gateway
}

const nginx = () => encodeURIComponent(identity.chain)
const envoy = () =>
  `By=spiffe://x;Hash=ab;Cert="forged";Subject="CN=a\\"b",Hash=cd;Cert="${encodeURIComponent(identity.certificate)}";Chain="${nginx()}";Subject="CN=CP3"`

test.each([
  ['as nginx gives it', nginx],
  ['as Envoy gives it', envoy],
])('a proxy of ours passes the client certificate on, %s', async (_, write) => {
  const { connect, log } = await start()
  const headers = { 'X-Forwarded-Proto': 'https', 'X-Client-Cert': write(), 'X-Forwarded-For': '203.0.113.7' }

  expect(await outcomeOf(connect({ id: 'CP3', password: null, headers }))).toBe(101)

  expect(JSON.parse(String(log.ofType('connected')[0]?.value))).toMatchObject({
    securityProfile: 3,
    certificateFingerprint: identity.fingerprint,
    remoteAddress: '203.0.113.7',
  })
})

test('a password through a proxy of ours is profile 2, if the station spoke TLS with it', async () => {
  const { connect, log } = await start()
  const attempt = (headers: Record<string, string>) => outcomeOf(connect({ id: 'CP2', headers }))

  expect(await attempt({ 'X-Forwarded-Proto': 'https', 'X-Client-Cert': '' })).toBe(101)
  expect(await attempt({ 'X-Forwarded-Proto': 'http' })).toBe(403)
  expect(await attempt({ 'X-Forwarded-Proto': 'https, http' })).toBe(403)
  expect(await attempt({})).toBe(403)
  expect(JSON.parse(String(log.ofType('connected')[0]?.value))).toMatchObject({ securityProfile: 2 })
})

test('what a proxy says over TLS with us counts more than the TLS', async () => {
  const { connect } = await start()
  const tls = { ca: pki.serverRoot.certificate }

  expect(await outcomeOf(connect({ id: 'CP2', tls }))).toBe(101)
  expect(await outcomeOf(connect({ id: 'CP2', tls, headers: { 'X-Forwarded-Proto': 'http' } }))).toBe(403)
})

test('the headers of a stranger are ignored and counted', async () => {
  const { connect, gateway, metric } = await start({ trustedProxies: ['192.0.2.1'] })
  const headers = { 'X-Forwarded-Proto': 'https', 'X-Client-Cert': nginx() }

  expect(await outcomeOf(connect({ id: 'CP3', password: null, headers }))).toBe(403)
  expect(await outcomeOf(connect({ id: 'CP2', headers }))).toBe(403)

  expect(gateway.refused().map(({ reason }) => reason)).toEqual(['profile', 'profile'])
  for (const header of ['x-forwarded-proto', 'x-client-cert']) {
    await until(async () => (await metric('busbar_gateway_ignored_headers_total', { header })) === 2)
  }
})

test.each([
  ['no certificate at all', 'certificate-unreadable', () => 'rubbish'],
  ['a broken escape', 'certificate-unreadable', () => '%E0%A4%A'],
  ['a cut certificate', 'certificate-unreadable', () => nginx().slice(0, 300)],
  ['a leaf without what leads to the anchor', 'certificate-untrusted', () => encodeURIComponent(identity.certificate)],
])('%s in the header is refused', async (_, reason, write) => {
  const { connect, gateway } = await start()
  const headers = { 'X-Forwarded-Proto': 'https', 'X-Client-Cert': write() }

  expect(await outcomeOf(connect({ id: 'CP3', password: null, headers }))).toBe(403)
  expect(gateway.refused()).toMatchObject([{ stationId: 'CP3', reason }])
})

test('a revoked certificate in the header closes the socket as well', async () => {
  const { connect, database } = await start()
  const headers = { 'X-Forwarded-Proto': 'https', 'X-Client-Cert': nginx() }
  const station = await connect({ id: 'CP3', password: null, headers })

  database.revoked.push(identity.fingerprint)

  expect(await station.closed).toMatchObject({ code: 1008 })
})

test('a lower profile than was proved at another gateway takes nothing over, and from then on no password is looked at', async () => {
  const { connect, gateway, redis } = await start()
  await outcomeOf(connect({ id: 'CP2', headers: { 'X-Forwarded-Proto': 'https' } }))
  const owner = redis.owners.get('CP2')
  redis.proven.set('CP2', { profile: 3, at: Date.now() })
  const headers = { 'X-Forwarded-Proto': 'https' }

  expect(await outcomeOf(connect({ id: 'CP2', headers }))).toBe(403)
  expect(redis.owners.get('CP2')).toEqual(owner)
  expect(redis.listeners('CP2')).toBe(1)
  expect(gateway.refused()).toMatchObject([{ stationId: 'CP2', reason: 'profile' }])
  expect(await outcomeOf(connect({ id: 'CP2', password: 'wrong', headers }))).toBe(403)
})
