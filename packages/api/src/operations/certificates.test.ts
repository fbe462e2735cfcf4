import 'reflect-metadata'
import { createAuthority, issueCertificate, parseCertificate } from '@busbar/pki'
import { newId } from '@busbar/store'
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
let root: string
let intermediate: string
beforeAll(async () => {
  api = await startTestApi()
  await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id: 'CS-16' } })
  await api.database.prisma.stationState.create({ data: { stationId: 'CS-16', protocol: 'ocpp1.6' } })
  const made = await makeAuthority('2026-01-01', '2046-01-01')
  root = made.root
  intermediate = made.issuing.certificate
})
afterAll(() => api.stop())
beforeEach(() => api.database.prisma.installedCertificate.deleteMany({}))

function makeAuthority(notBefore: string, notAfter: string) {
  const validity = { notBefore: new Date(notBefore), notAfter: new Date(notAfter) }
  return createAuthority({ name: 'A', organization: 'O', algorithm: 'ec-p256', rsaPadding: 'pkcs1', ...validity })
}

const post = (path: string, payload: object) =>
  api.request('operator', { method: 'POST', url: `/v1/stations/CS-16/${path}`, payload })

/** What was sent of it. */
async function sent(path: string, payload: object) {
  const response = await post(path, payload)
  expect(response.json()).toMatchObject({ status: 'queued' })
  const { id, warnings } = response.json()
  const command = (await api.request('viewer', { url: `/v1/commands/${id}` })).json()
  return { action: command.action, payload: command.payload, warnings }
}

const hashData = { hashAlgorithm: 'SHA384', issuerNameHash: 'AAbb', issuerKeyHash: '00FF', serialNumber: '0a' }

function install(type: string, overrides: Partial<typeof hashData> = {}) {
  const data = { id: newId(), stationId: 'CS-16', type, ...hashData, ...overrides, reportedAt: new Date() }
  return api.database.prisma.installedCertificate.create({ data })
}

test('a new certificate is asked for with the extended trigger, without a connector', async () => {
  expect(await sent('certificates/renew', {})).toEqual({
    action: 'ExtendedTriggerMessage',
    payload: { requestedMessage: 'SignChargePointCertificate' },
    warnings: [],
  })
})

test.each([
  ['CentralSystemRoot', 'CentralSystemRootCertificate'],
  ['ManufacturerRoot', 'ManufacturerRootCertificate'],
])('%s is installed and asked for as %s', async (type, certificateType) => {
  const certificate = root.replaceAll('\n', '\r\n')

  expect(await sent('certificates/install', { type, certificate })).toEqual({
    action: 'InstallCertificate',
    payload: { certificateType, certificate: root },
    warnings: [],
  })
  expect(await sent('certificates/read', { type })).toEqual({
    action: 'GetInstalledCertificateIds',
    payload: { certificateType },
    warnings: [],
  })
})

test('what can be no root is not sent, with the reason', async () => {
  const leaf = await issueLeaf()
  const before = await api.database.prisma.command.count()
  for (const [certificate, reason] of [
    ['nonsense', /PEM/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', /cannot be read/],
    [root + intermediate, /more than one/],
    [leaf, /no certificate of an authority/],
  ] as const) {
    const response = await post('certificates/install', { type: 'CentralSystemRoot', certificate })
    expect(response.statusCode).toBe(422)
    const reasons = expect.arrayContaining([{ detail: expect.stringMatching(reason), pointer: '/certificate' }])
    expect(response.json().errors).toEqual(reasons)
  }
  expect(await api.database.prisma.command.count()).toBe(before)
})

async function issueLeaf() {
  const { issuing } = await makeAuthority('2026-01-01', '2046-01-01')
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const made = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=CS',
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  })
  const request = made.toString('pem')
  const chain = await issueCertificate(
    issuing,
    request,
    { commonName: 'CS', organization: 'O' },
    { notBefore: new Date('2026-01-01'), notAfter: new Date('2036-01-01') },
  )
  return parseCertificate(chain).pem
}

test('what looks odd is sent with a warning', async () => {
  const old = (await makeAuthority('2016-01-01', '2020-01-01')).root
  const early = (await makeAuthority('2096-01-01', '2099-01-01')).root
  const type = 'CentralSystemRoot'

  expect((await sent('certificates/install', { type, certificate: old })).warnings).toEqual([
    'It ended on 2020-01-01T00:00:00.000Z.',
  ])
  expect((await sent('certificates/install', { type, certificate: early })).warnings).toEqual([
    'It begins only on 2096-01-01T00:00:00.000Z.',
  ])
  expect((await sent('certificates/install', { type, certificate: intermediate })).warnings).toEqual([
    'It is not self-signed: an intermediate, not a root.',
  ])
})

test('a certificate is deleted by the four fields as the station told them', async () => {
  const { id } = await install('CentralSystemRoot')
  await install('CentralSystemRoot', { serialNumber: '0b' })
  const expected = { action: 'DeleteCertificate', payload: { certificateHashData: hashData }, warnings: [] }

  expect(await sent('certificates/delete', { certificateId: id })).toEqual(expected)
  expect(await sent('certificates/delete', { hashData })).toEqual(expected)
})

test('the last root of its kind, and one that was never named, are deleted with a warning', async () => {
  const { id } = await install('CentralSystemRoot')
  await install('ManufacturerRoot', { serialNumber: '0b' })

  expect((await sent('certificates/delete', { certificateId: id })).warnings).toEqual([
    expect.stringContaining('last root by which the station knows Busbar'),
  ])
  const other = { hashData: { ...hashData, hashAlgorithm: 'SHA256' } }
  expect((await sent('certificates/delete', other)).warnings).toEqual(['The station has not named such a certificate.'])
})

test('a certificate of another station is none of this one', async () => {
  const { id } = await install('CentralSystemRoot')
  await api.database.prisma.installedCertificate.updateMany({ data: { stationId: 'other' } })

  expect((await post('certificates/delete', { certificateId: id })).statusCode).toBe(404)
  expect((await post('certificates/delete', { certificateId: 'x' })).statusCode).toBe(400)
})

test('the books of a station', async () => {
  const { id } = await install('ManufacturerRoot')
  const at = new Date('2026-03-01T10:00:00Z')
  await api.database.prisma.stationCertificate.create({
    data: { id: newId(), stationId: 'CS-16', status: 'requested', csr: 'x', requestedAt: at },
  })
  const installation = { callIndex: 0, stationId: 'CS-16', type: 'ManufacturerRoot', requestedAt: at }
  await api.database.prisma.rootInstallation.create({
    data: { ...installation, commandId: newId(), status: 'rejected', answer: 'Failed' },
  })

  const books = (await api.request('viewer', { url: '/v1/stations/CS-16/certificates' })).json()

  expect(books.own).toMatchObject([{ status: 'requested', fingerprint: null, requestedAt: at.toISOString() }])
  expect(books.own[0]).not.toHaveProperty('csr')
  expect(books.installed).toEqual([{ id, type: 'ManufacturerRoot', ...hashData, reportedAt: expect.any(String) }])
  expect(books.installations).toMatchObject([{ type: 'ManufacturerRoot', status: 'rejected', answer: 'Failed' }])
})
