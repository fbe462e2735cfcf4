import { connect as connectTcp } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Identity, TestAuthority } from '../../../../test/support/certificates.js'
import { distrusts } from '../../../../test/support/tls-probes.js'
import type { GatewayConfig } from '../config.js'
import { stationRecord, until } from '../testing.js'
import { fingerprintOf } from './client-certificate.js'
import { clientOf, handshake, makeTestPki, outcomeOf, startSecureGateway, type TestPki, writePair } from './testing.js'

let pki: TestPki

beforeAll(async () => {
  pki = await makeTestPki()
})
afterAll(() => pki.remove())

const start = (config: Partial<GatewayConfig> = {}) => startSecureGateway(pki, config)
const serial = (commonName: string) => pki.stationRoot.issue({ commonName, organization: 'Operator' })

test('a station of profile 2 comes in with Basic over TLS, and its profile is told', async () => {
  const { connect, database, log } = await start()
  database.stations.push(stationRecord({ id: 'CP2', securityProfile: 2 }))

  expect(await outcomeOf(connect({ id: 'CP2', tls: clientOf(pki), password: 'wrong' }))).toBe(401)
  const station = await connect({ id: 'CP2', tls: clientOf(pki) })
  station.call('1', 'Heartbeat', {})

  expect(await station.answer('1')).toMatchObject([3, '1', {}])
  expect(JSON.parse(String(log.ofType('connected')[0]?.value))).toMatchObject({
    securityProfile: 2,
    secretSlot: 'current',
    certificateFingerprint: null,
  })
})

test.each(['ec', 'rsa'] as const)(
  'a station of profile 3 comes in with its certificate alone (%s)',
  async (keyType) => {
    const { connect, database, log } = await start({ operatorName: 'Operator' })
    database.stations.push(stationRecord({ id: 'CP3', securityProfile: 3, secrets: [], serialNumber: 'SN-3' }))
    const identity = await pki.stationRoot.issue({ commonName: 'SN-3', organization: 'Operator', keyType })

    const station = await connect({ id: 'CP3', password: null, tls: clientOf(pki, identity) })
    station.call('1', 'Heartbeat', {})

    expect(await station.answer('1')).toMatchObject([3, '1', {}])
    expect(JSON.parse(String(log.ofType('connected')[0]?.value))).toMatchObject({
      securityProfile: 3,
      secretSlot: null,
      certificateFingerprint: identity.fingerprint,
    })
  },
)

test('the id stands in for a serial number, and the certificate of its local controller for its own', async () => {
  const { connect, database } = await start()
  const none = { securityProfile: 3, secrets: [] }
  database.stations.push(
    stationRecord({ ...none, id: 'CP3' }),
    stationRecord({ ...none, id: 'CP4', serialNumber: 'SN-4', controllerSerialNumber: 'LC-1' }),
  )

  expect(await outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki, await serial('CP3')) }))).toBe(101)
  expect(await outcomeOf(connect({ id: 'CP4', password: null, tls: clientOf(pki, await serial('LC-1')) }))).toBe(101)
  expect(await outcomeOf(connect({ id: 'CP4', password: null, tls: clientOf(pki, await serial('CP4')) }))).toBe(403)
})

test('a path over an intermediate is followed, whether the root or the intermediate is the anchor', async () => {
  const { connect, database } = await start({ failuresPerMinute: 1_000 })
  const other = await TestAuthority.create('Other root')
  const [below, pinned] = [await pki.stationRoot.intermediate(), await other.intermediate('Pinned')]
  database.stations.push(stationRecord({ id: 'CP3', securityProfile: 3, secrets: [] }))
  const [first, second] = [await below.issue({ commonName: 'CP3' }), await pinned.issue({ commonName: 'CP3' })]
  const attempt = (identity: Identity) =>
    outcomeOf(connect({ id: 'CP3', password: null, tls: clientOf(pki, identity) }))

  expect(await attempt(first)).toBe(101)
  expect(await attempt(second)).toBe(403)
  database.anchors.push(pinned)
  await until(async () => (await attempt(second)) === 101)
})

test('the suites of the white paper are spoken, each with the certificate of its kind', async () => {
  const { gateway } = await start()

  for (const [ciphers, type] of [
    ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ec'],
    ['ECDHE-ECDSA-AES256-GCM-SHA384', 'ec'],
    ['AES128-GCM-SHA256', 'rsa'],
    ['AES256-GCM-SHA384', 'rsa'],
  ] as const) {
    const shown = await shownTo(gateway.tlsPort, { ciphers, maxVersion: 'TLSv1.2' })
    expect(shown).toMatchObject({ suite: ciphers, keyType: type, protocol: 'TLSv1.2' })
  }
  expect(await shownTo(gateway.tlsPort, {})).toMatchObject({ protocol: 'TLSv1.3' })
})

test('the suites without forward secrecy can be left out', async () => {
  const { gateway } = await start({ tls: { ...pki.tls, rsaKeyExchange: false } })

  const old = { ciphers: 'AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const
  expect(await outcomeOf(handshake(pki, gateway.tlsPort, old))).toMatch(/^E/)
  expect(await shownTo(gateway.tlsPort, {})).toMatchObject({ protocol: 'TLSv1.3' })
})

test('certificates are exchanged on disk without closing a socket', async () => {
  const { connect, gateway } = await start()
  const station = await connect({ tls: clientOf(pki) })
  const [first = pki.stationRoot] = pki.servers
  const renewed = await pki.serverRoot.issue({ commonName: 'localhost', hosts: ['127.0.0.1'], usage: 'server' })
  const shown = async () => (await shownTo(gateway.tlsPort, {})).fingerprint
  expect(await shown()).toBe(first.fingerprint)
  try {
    // Half of a pair, as while it is written: the old one stays.
    await writePair(pki.folder, '0', { chain: renewed.chain, key: first.key })
    await gateway.reloadCertificates()
    expect(await shown()).toBe(first.fingerprint)

    await writePair(pki.folder, '0', renewed)
    await until(async () => (await shown()) === renewed.fingerprint)

    station.call('1', 'Heartbeat', {})
    expect(await station.answer('1')).toMatchObject([3, '1', {}])
  } finally {
    await writePair(pki.folder, '0', first)
  }
})

test('a start with a certificate that does not fit its key fails by name', async () => {
  const broken = await writePair(pki.folder, 'broken', { chain: pki.servers[0]?.chain ?? '', key: pki.stationRoot.key })

  await expect(start({ tls: { ...pki.tls, certificates: [broken] } })).rejects.toThrow(/broken\.pem/)
})

test("a station that does not know the root of the server's certificate (Autel) is told to the operator", async () => {
  const { gateway, metric } = await start()

  await distrusts(gateway.tlsPort ?? 0)

  await until(() => gateway.refused().length > 0)
  expect(gateway.refused()).toMatchObject([{ stationId: '', reason: 'tls-distrust', address: '127.0.0.1' }])
  await until(async () => (await metric('busbar_gateway_failed_handshakes_total', { reason: 'tls-distrust' })) === 1)
})

test('a caller that never shakes hands is given up, and counted', async () => {
  const { gateway, metric } = await start({ tls: { ...pki.tls, handshakeTimeoutMs: 100 } })
  const socket = connectTcp(gateway.tlsPort ?? 0, '127.0.0.1')
  socket.on('error', () => {})

  await new Promise((resolve) => socket.on('close', resolve))

  await until(async () => (await metric('busbar_gateway_failed_handshakes_total', { reason: 'tls-timeout' })) === 1)
})

/** What the server shows to a caller that offers this. */
async function shownTo(port: number | null, options: ConnectionOptions) {
  const socket: TLSSocket = await handshake(pki, port, options)
  const certificate = socket.getPeerX509Certificate()
  const shown = {
    protocol: socket.getProtocol(),
    suite: socket.getCipher().name,
    keyType: certificate?.publicKey.asymmetricKeyType,
    fingerprint: certificate && fingerprintOf(certificate),
  }
  socket.destroy()
  return shown
}
