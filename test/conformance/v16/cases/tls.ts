import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import * as x509 from '@peculiar/x509'
import { expect } from 'vitest'
import { certificateRequest, selfSigned, TestAuthority } from '../../../support/certificates.js'
import { operatorName, serverName } from '../../../support/doors.js'
import { until } from '../../../support/system.js'
import { type Identity, newPassword } from '../bench.js'
import { cold, type Lab } from '../lab.js'
import * as wishes from '../wishes/index.js'

const accepted = { status: 'Accepted' }

/** The four that the white paper mandates. */
const suites = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
]

/** A handshake with nothing after it. */
function handshake(lab: Lab, options: ConnectionOptions): Promise<TLSSocket> {
  const { hostname, port } = new URL(lab.bench.overTls().url)
  return new Promise((resolve, reject) => {
    const socket = connect({ ...lab.bench.overTls().tls, host: hostname, port: Number(port), ...options })
    socket.on('secureConnect', () => resolve(socket.end()))
    socket.on('error', reject)
  })
}

async function checkServer(lab: Lab): Promise<void> {
  for (const ciphers of suites) {
    const socket = await handshake(lab, { ciphers, maxVersion: 'TLSv1.2' })
    expect(socket.getCipher().name).toBe(ciphers)
    expect(socket.getProtocol()).toBe('TLSv1.2')
    const certificate = socket.getPeerX509Certificate() as X509Certificate
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey
    if (asymmetricKeyType === 'rsa') expect(asymmetricKeyDetails?.modulusLength).toBeGreaterThanOrEqual(2048)
    else expect(asymmetricKeyDetails?.namedCurve).toMatch(/^(prime256v1|secp384r1|secp521r1)$/)
    expect(asymmetricKeyType).toBe(ciphers.includes('ECDSA') ? 'ec' : 'rsa')
    expect(certificate.serialNumber).toMatch(/^[0-9A-F]{2,}$/)
    expect(certificate.subject).toContain(`CN=${serverName}`)
  }
  expect((await handshake(lab, {})).getProtocol()).toBe('TLSv1.3')
}

/** Steps 3 to 6 of the renewal. @returns what the station connects with from then on */
async function getsCertificate(
  lab: Lab,
  draft: { serialNumber: string; keyType?: 'rsa' | 'ec'; commonName?: string },
  answer = 'Accepted',
) {
  const { serialNumber, keyType = 'rsa', commonName = serialNumber } = draft
  const { csr, key } = await certificateRequest({ commonName, organization: operatorName, keyType })
  expect(await lab.station.sends('SignCertificate', { csr })).toEqual(accepted)
  const { certificateChain } = await lab.station.isAsked<{ certificateChain: string }>('CertificateSigned', {
    status: answer,
  })
  expect(certificateChain).not.toContain('\r')
  const leaf = new X509Certificate(certificateChain)
  expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true)
  expect(leaf.subject.split('\n')).toContain(`CN=${serialNumber}`)
  expect(new x509.X509Certificate(certificateChain).signatureAlgorithm).toMatchObject(
    keyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: { name: 'SHA-256' } }
      : { name: 'ECDSA', hash: { name: 'SHA-256' } },
  )
  return { ...lab.bench.overTls().tls, cert: certificateChain, key }
}

/** Gateways learn of a new authority within their polling time. */
async function reconnectsOnceTrusted(lab: Lab, identity: Identity): Promise<void> {
  await lab.station.leaves()
  await until('the station is let in', () => lab.connects(identity).catch(() => null), 5_000)
}

/** A station of its own, because nothing leads it back to the profile it came from. */
async function registersAt(lab: Lab, securityProfile: 1 | 2): Promise<Identity & { serialNumber: string }> {
  const number = randomBytes(4).toString('hex')
  const [id, serialNumber, password] = [`UP-${number}`, `SN-${number}`, newPassword()]
  await lab.system.api.registerStation(id, password, { securityProfile, serialNumber })
  const door = securityProfile === 1 ? { url: lab.bench.station.url } : lab.bench.overTls()
  return { ...door, id, serialNumber, password }
}

async function upgrades(lab: Lab, from: Identity, to: Identity, profile: number): Promise<void> {
  await lab.asks(wishes.changeSecurityProfile(profile), accepted)
  await lab.asks(wishes.reset('Hard'), accepted)
  await reconnectsOnceTrusted(lab, to)
  await lab.boots()
  await expect.poll(() => lab.isRefused(from).catch(() => 'let in'), { timeout: 3_000 }).toSatisfy(isRefusal)
  await lab.reconnects(to)
  await lab.boots()
}

const isRefusal = (status: unknown) => status === null || status === 401 || status === 403

/** Security, as far as it needs TLS. */
export const tls = {
  TC_074_CSMS: cold(async (lab: Lab) => {
    await lab.bench.hasAuthority()
    const { certified } = lab.bench
    for (const keyType of ['rsa', 'ec'] as const) {
      await lab.connects(certified)
      await lab.boots()
      await lab.asks(wishes.renewCertificate(), accepted)
      const renewed = await getsCertificate(lab, { serialNumber: certified.serialNumber, keyType })
      await lab.showsOwnCertificate({ status: 'accepted' })
      await reconnectsOnceTrusted(lab, { ...certified, tls: renewed })
      certified.tls = renewed
      await lab.boots()
      await lab.showsOwnCertificate({ status: 'active' })
    }
  }),

  TC_077_CSMS: cold(async (lab: Lab) => {
    await lab.bench.hasAuthority()
    const { certified } = lab.bench
    await lab.connects(certified)
    await lab.boots()
    await lab.asks(wishes.renewCertificate(), accepted)
    // What the request calls itself does not count.
    await getsCertificate(lab, { serialNumber: certified.serialNumber, commonName: 'whatever' }, 'Rejected')
    const event = { type: 'InvalidChargePointCertificate', timestamp: new Date().toISOString() }
    await lab.tells('SecurityEventNotification', event)
    await lab.showsOwnCertificate({ status: 'rejected' })
    await lab.showsItem('security-events', { type: event.type, occurredAt: event.timestamp })
    await lab.reconnects(certified)
    await lab.boots()
  }),

  TC_083_CSMS: cold(async (lab: Lab) => {
    const first = await registersAt(lab, 1)
    await lab.connects(first)
    await lab.boots()
    await lab.asks(wishes.installCertificate('CentralSystemRoot', lab.bench.doors.serverRoot.certificate), accepted)
    await upgrades(lab, first, { ...first, ...lab.bench.overTls() }, 2)

    await lab.bench.hasAuthority()
    const second = await registersAt(lab, 2)
    await lab.connects(second)
    await lab.boots()
    await lab.asks(wishes.renewCertificate(), accepted)
    const renewed = await getsCertificate(lab, { serialNumber: second.serialNumber })
    const { password: _, ...nameless } = second
    await upgrades(lab, second, { ...nameless, tls: renewed }, 3)
  }),

  TC_086_CSMS: cold(async (lab: Lab) => {
    await checkServer(lab)
    await lab.connects(lab.bench.secured)
    await lab.boots()
    await lab.shows('', { registration: 'Accepted', connection: { online: true } })
  }),

  TC_087_CSMS: cold(async (lab: Lab) => {
    await checkServer(lab)
    expect(lab.bench.certified.password).toBeUndefined()
    await lab.connects(lab.bench.certified)
    await lab.boots()
    await lab.shows('', { registration: 'Accepted', connection: { online: true } })
  }),

  'RPC16-23': cold(async (lab: Lab) => {
    const { secured, certified, doors, station } = lab.bench
    const old = { ciphers: 'DEFAULT@SECLEVEL=0', minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const
    expect(await lab.isRefused({ ...secured, tls: { ...secured.tls, ...old } })).toBeNull()
    for (const ciphers of ['ECDHE-RSA-AES128-SHA', 'AES128-SHA', 'AES256-SHA256']) {
      const weak = { ...secured.tls, ciphers, maxVersion: 'TLSv1.2' } as const
      expect(await lab.isRefused({ ...secured, tls: weak })).toBeNull()
    }
    const shows = async (stationId: string, reason: string) => {
      const { items } = await lab.system.api.get<{ items: object[] }>('/refused-attempts')
      expect(items).toEqual(expect.arrayContaining([expect.objectContaining({ stationId, reason })]))
    }

    const { tls: _, ...plain } = secured
    expect(await lab.isRefused({ ...plain, url: station.url })).toSatisfy(isRefusal)
    await shows(secured.id, 'profile')
    await lab.connects(secured)
    await lab.boots()

    const withPassword = { ...secured, id: certified.id }
    expect(await lab.isRefused(withPassword)).toSatisfy(isRefusal)
    await shows(certified.id, 'profile')
    const { serialNumber } = certified
    const yesterday = new Date(Date.now() - 86_400_000)
    const strange = await TestAuthority.create('Somebody else')
    const alone = await selfSigned({ commonName: serialNumber, organization: operatorName })
    const wrong = [
      ['certificate-untrusted', await lab.bench.certifiedTls(strange, serialNumber)],
      ['certificate-untrusted', { ...lab.bench.overTls().tls, cert: alone.chain, key: alone.key }],
      ['certificate-expired', await lab.bench.certifiedTls(doors.stationRoot, serialNumber, { notAfter: yesterday })],
      ['certificate-serial', await lab.bench.certifiedTls(doors.stationRoot, 'SN-of-another')],
      [
        'certificate-operator',
        await lab.bench.certifiedTls(doors.stationRoot, serialNumber, { organization: 'Other' }),
      ],
      ['certificate-usage', await lab.bench.certifiedTls(doors.stationRoot, serialNumber, { usage: 'server' })],
    ] as const
    for (const [reason, tls] of wrong) {
      expect(await lab.isRefused({ ...certified, tls }), reason).toSatisfy(isRefusal)
      await shows(certified.id, reason)
    }
    await lab.connects(certified)
    await lab.boots()
  }),

  'UC16-Sec-1': cold(async (lab: Lab) => {
    await lab.bench.hasAuthority()
    const { certified } = lab.bench
    await lab.connects(certified)
    await lab.boots()
    const renewed = await getsCertificate(lab, { serialNumber: certified.serialNumber })
    await reconnectsOnceTrusted(lab, { ...certified, tls: renewed })
    certified.tls = renewed
    await lab.boots()
    await lab.showsOwnCertificate({ status: 'active' })
    expect(await lab.station.sends('SignCertificate', { csr: 'no request' })).toEqual({ status: 'Rejected' })
  }),
}
