import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type CertificateDraft,
  type Identity,
  selfSigned,
  TestAuthority,
} from '../../../../test/support/certificates.js'
import type { GatewayConfig } from '../config.js'
import { stationRecord, type TestGateway, until } from '../testing.js'
import { clientOf, makeTestPki, outcomeOf, startSecureGateway, type TestPki } from './testing.js'

let pki: TestPki

beforeAll(async () => {
  pki = await makeTestPki()
})
afterAll(() => pki.remove())

/** With one station of profile 3, serial number SN-3, of the company Operator. */
async function start(config: Partial<GatewayConfig> = {}): Promise<TestGateway> {
  const gateway = await startSecureGateway(pki, { operatorName: 'Operator', ...config })
  gateway.database.stations.push(stationRecord({ id: 'CP3', securityProfile: 3, secrets: [], serialNumber: 'SN-3' }))
  return gateway
}

const dayMs = 86_400_000
const right: CertificateDraft = { commonName: 'SN-3', organization: 'Operator' }
const issue = (draft: Partial<CertificateDraft> = {}) => pki.stationRoot.issue({ ...right, ...draft })

const wrongOnes: [what: string, reason: string, make: () => Promise<Identity>][] = [
  ['unknown CA', 'certificate-untrusted', async () => (await TestAuthority.create('Stations')).issue(right)],
  ['self-signed', 'certificate-untrusted', () => selfSigned(right)],
  ['expired', 'certificate-expired', () => issue({ notAfter: new Date(Date.now() - dayMs) })],
  ['not yet valid', 'certificate-not-yet-valid', () => issue({ notBefore: new Date(Date.now() + dayMs) })],
  ['wrong CN', 'certificate-serial', () => issue({ commonName: 'SN-4' })],
  ['the serial as a part of the CN', 'certificate-serial', () => issue({ commonName: 'SN-33' })],
  ['the id instead of the serial', 'certificate-serial', () => issue({ commonName: 'CP3' })],
  ['wrong O', 'certificate-operator', () => issue({ organization: 'Somebody else' })],
  ['no O', 'certificate-operator', () => pki.stationRoot.issue({ commonName: 'SN-3' })],
  ["a server's certificate", 'certificate-usage', () => issue({ usage: 'server' })],
]

test.each(wrongOnes)('T6: %s is refused as %s, and a good certificate afterwards works', async (_, reason, make) => {
  const { connect, gateway, log, metric } = await start()

  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki, await make()) }))).toBe(403)
  expect(gateway.refused()).toMatchObject([{ stationId: 'CP3', reason, count: 1, address: '127.0.0.1' }])
  expect(log.records).toEqual([])
  await until(async () => (await metric('busbar_gateway_refused_upgrades_total', { reason })) === 1)

  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki, await issue()) }))).toBe(101)
})

test('no certificate, and a password instead of one, are refused', async () => {
  const { connect, gateway } = await start()

  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki) }))).toBe(403)
  expect(await outcomeOf(connect({ id: 'CP3', tls: clientOf(pki) }))).toBe(403)
  expect(await outcomeOf(connect({ id: 'CP3' }))).toBe(403)
  expect(gateway.refused()).toMatchObject([{ stationId: 'CP3', reason: 'profile', count: 3 }])
})

test('without a name of the operator any O will do', async () => {
  const { connect } = await start({ operatorName: null })
  const identity = await issue({ organization: 'Somebody else' })

  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki, identity) }))).toBe(101)
})

test('T6: a revoked certificate is refused, and the socket that came in with it is closed', async () => {
  const { connect, database, gateway } = await start()
  const [identity, other] = [await issue(), await issue()]
  const station = await connect({ id: 'CP3', password: null, tls: clientOf(pki, identity) })

  const revokedAt = performance.now()
  database.revoked.push(identity.fingerprint)

  expect(await station.closed).toEqual({ code: 1008, reason: 'The certificate is revoked' })
  expect(performance.now() - revokedAt).toBeLessThan(60_000)
  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki, identity) }))).toBe(403)
  expect(gateway.refused()).toMatchObject([{ stationId: 'CP3', reason: 'certificate-revoked' }])
  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki, other) }))).toBe(101)
})

test('what an authority issued goes with it, whether it is revoked or no anchor any more', async () => {
  const { connect, database } = await start()
  const between = await pki.stationRoot.intermediate()
  const station = await connect({ id: 'CP3', password: null, tls: clientOf(pki, await between.issue(right)) })
  database.revoked.push(between.fingerprint)
  expect(await station.closed).toMatchObject({ code: 1008 })

  const direct = await connect({ id: 'CP3', password: null, tls: clientOf(pki, await issue()) })
  database.anchors.length = 0
  expect(await direct.closed).toMatchObject({ code: 1008 })
})

test('an authority that is trusted since a moment ago needs no second try', async () => {
  const { connect, database, gateway } = await start({ trustPollMs: 3_600_000 })
  const fresh = await TestAuthority.create('Trusted since now')
  const issued = await fresh.issue(right)
  const withRoot = { ...issued, chain: issued.chain + fresh.certificate }
  // Not the second that the first reading covers.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  database.anchors.push(fresh)

  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki, withRoot) }))).toBe(101)
  expect(gateway.refused()).toEqual([])
})

test('other sockets stay open when a certificate is revoked', async () => {
  const { connect, database } = await start()
  const revoked = await issue()
  database.stations.push(stationRecord({ id: 'CP4', securityProfile: 3, secrets: [] }))
  const [basic, station] = [
    await connect({ tls: clientOf(pki) }),
    await connect({ id: 'CP4', password: null, tls: clientOf(pki, await issue({ commonName: 'CP4' })) }),
  ]
  const gone = await connect({ id: 'CP3', password: null, tls: clientOf(pki, revoked) })

  database.revoked.push(revoked.fingerprint)
  await gone.closed

  for (const each of [basic, station]) {
    each.call('1', 'Heartbeat', {})
    expect(await each.answer('1')).toMatchObject([3, '1', {}])
  }
})

test('a certificate that was superseded opens no more', async () => {
  const { connect, database, gateway } = await start()
  const identity = await issue()
  const station = database.stations.find(({ id }) => id === 'CP3')
  station?.closedCertificates.push(identity.fingerprint)

  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki, identity) }))).toBe(403)
  expect(gateway.refused()).toMatchObject([{ reason: 'certificate-superseded' }])
})

test('a station of profile 2 may show the certificate of its factory beside its password', async () => {
  const { connect, database, log, metric } = await start()
  database.stations.push(stationRecord({ id: 'CP2', securityProfile: 2 }))
  const factory = await selfSigned({ commonName: 'made in a factory' })

  expect(await outcomeOf(connect({ id: 'CP2', tls: clientOf(pki, factory) }))).toBe(101)
  expect(await outcomeOf(connect({ id: 'CP2', password: null, tls: clientOf(pki, factory) }))).toBe(403)
  expect(await outcomeOf(connect({ id: 'CP2', password: 'wrong', tls: clientOf(pki, factory) }))).toBe(401)
  expect(JSON.parse(String(log.ofType('connected')[0]?.value))).toMatchObject({ securityProfile: 2 })
  await until(async () => (await metric('busbar_quirks_total', { kind: 'certificate-ignored' })) === 1)
})

test('a revoked certificate is no certificate of a factory', async () => {
  const { connect, database } = await start()
  database.stations.push(stationRecord({ id: 'CP2', securityProfile: 2 }))
  const identity = await issue({ commonName: 'CP2' })
  database.revoked.push(identity.fingerprint)

  await until(async () => (await outcomeOf(connect({ id: 'CP2', tls: clientOf(pki, identity) }))) === 403)
})

test('until the anchors were read once, who shows a certificate has to come back later', async () => {
  const gateway = await startSecureGateway(pki, {}, (database) => {
    database.isAway = true
  })
  const { connect, database } = gateway
  database.stations.push(stationRecord({ id: 'CP3', securityProfile: 3, secrets: [] }))
  const tls = clientOf(pki, await issue({ commonName: 'CP3' }))

  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls }))).toBe(503)
  database.isAway = false
  await until(async () => (await outcomeOf(connect({ id: 'CP3', password: null, tls }))) === 101)
})
