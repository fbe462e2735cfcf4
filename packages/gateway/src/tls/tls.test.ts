import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Identity, TestAuthority } from '../../../../test/support/certificates.js'
import type { GatewayConfig } from '../config.js'
import { type Refused, stationRecord, type TestGateway, until } from '../testing.js'
import { clientOf, makeTestPki, startSecureGateway, type TestPki, writePair } from './testing.js'

let pki: TestPki
let running: TestGateway[] = []

beforeAll(async () => {
  pki = await makeTestPki()
})
afterAll(() => pki.remove())
afterEach(async () => {
  await Promise.all(running.map((each) => each.stop()))
  running = []
})

async function start(config: Partial<GatewayConfig> = {}): Promise<TestGateway> {
  const gateway = await startSecureGateway(pki, config)
  running.push(gateway)
  return gateway
}

/** 101, the status of the refusal, or the code of the error that came before HTTP. */
async function outcomeOf(attempt: Promise<unknown>): Promise<number | string> {
  return await attempt.then(
    () => 101,
    (refused: Partial<Refused> & { code?: string }) => refused.status ?? refused.code ?? 'failed',
  )
}

/** Shakes hands and says what came of it. */
async function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return await new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, ca: pki.serverRoot.certificate, ...options }, () =>
      resolve(socket),
    )
    socket.on('error', reject)
  })
}

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
    const socket = await handshake(gateway.tlsPort ?? 0, { ciphers, maxVersion: 'TLSv1.2' })
    expect(socket.getCipher().name).toBe(ciphers)
    expect(socket.getPeerX509Certificate()?.publicKey.asymmetricKeyType).toBe(type)
    socket.destroy()
  }
  const newest = await handshake(gateway.tlsPort ?? 0, {})
  expect(newest.getProtocol()).toBe('TLSv1.3')
  newest.destroy()
})

test('certificates are exchanged on disk without closing a socket', async () => {
  const { connect, gateway } = await start()
  const station = await connect({ tls: clientOf(pki) })
  const before = await handshake(gateway.tlsPort ?? 0, {})
  const [first = pki.servers[0], ...others] = pki.servers
  const renewed = await pki.serverRoot.issue({ commonName: 'localhost', hosts: ['127.0.0.1'], usage: 'server' })
  const serialOf = (socket: TLSSocket) => socket.getPeerX509Certificate()?.fingerprint256
  try {
    // Half of a pair, as while it is written: the old one stays.
    await writePair(pki.folder, '0', { chain: renewed.chain, key: first?.key ?? '' })
    await gateway.reloadCertificates()
    expect(serialOf(await handshake(gateway.tlsPort ?? 0, {}))).toBe(serialOf(before))

    await writePair(pki.folder, '0', renewed)
    await until(async () => serialOf(await handshake(gateway.tlsPort ?? 0, {})) !== serialOf(before))

    station.call('1', 'Heartbeat', {})
    expect(await station.answer('1')).toMatchObject([3, '1', {}])
    expect(others).toHaveLength(1)
  } finally {
    if (first) await writePair(pki.folder, '0', first)
  }
})

test('a start with a certificate that does not fit its key fails by name', async () => {
  const broken = await writePair(pki.folder, 'broken', { chain: pki.servers[0]?.chain ?? '', key: pki.stationRoot.key })

  await expect(start({ tls: { ...pki.tls, certificates: [broken] } })).rejects.toThrow(/broken\.pem/)
})
