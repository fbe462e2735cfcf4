import type { LogRecord } from '@busbar/backbone'
import type { Payload } from '@busbar/ocpp'
import { createAuthority, parseCertificate } from '@busbar/pki'
import { createTestDatabase, newId, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CommandNews, commandNewsType } from '../pipeline/command-news.js'
import { logRecord } from '../pipeline/testing.js'
import { applyRecords, serviceOf } from '../pipeline/testing-batches.js'
import { installedRootsPart } from './part.js'

let store: TestDatabase
let root: string

beforeAll(async () => {
  store = await createTestDatabase()
  const validity = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2036-01-01T00:00:00Z') }
  const named = { name: 'Fleet', organization: 'Operator', algorithm: 'ec-p256', rsaPadding: 'pkcs1' } as const
  root = (await createAuthority({ ...named, ...validity })).root
})
afterAll(() => store.drop())
beforeEach(() => query('TRUNCATE installed_certificate, root_installation'))

const query = (text: string) => store.database.query<Record<string, unknown>>({ text, values: [] })

const apply = (...records: LogRecord[]) =>
  applyRecords(serviceOf(installedRootsPart), records, { database: store.database })

function news(action: string, value: Partial<CommandNews>, station = 'CP-1') {
  const whole = { action, commandId: newId(), callIndex: 0, response: {}, sent: {}, ...value }
  const headers = { type: commandNewsType, station, action }
  return logRecord({ key: station, value: Buffer.from(JSON.stringify(whole)), headers })
}

const hashData = (serialNumber: string, hashAlgorithm = 'SHA256') =>
  // Spelled as a station may spell it; nothing of it is changed.
  ({ hashAlgorithm, issuerNameHash: 'AAbb', issuerKeyHash: '00FF', serialNumber })

function list(status: string, certificateHashData: Payload[] | undefined, wire = 'CentralSystemRootCertificate') {
  const sent = { certificateType: wire }
  const response = { status, ...(certificateHashData && { certificateHashData }) }
  const stage = status === 'Accepted' ? 'accepted' : 'rejected'
  return news('GetInstalledCertificateIds', { stage, sent, response })
}

function deletion(stage: CommandNews['stage'], status: string, certificateHashData: Payload) {
  return news('DeleteCertificate', { stage, sent: { certificateHashData }, response: { status } })
}

const installed = () =>
  query(`SELECT type, hash_algorithm || ' ' || issuer_name_hash || ' ' || issuer_key_hash || ' ' || serial_number AS data
         FROM installed_certificate ORDER BY type, data`)

test('a list is kept as told, the whole truth about its type, and rows that stay keep their ids', async () => {
  await apply(list('Accepted', [hashData('01'), hashData('02', 'SHA512')]))
  await apply(list('Accepted', [hashData('77')], 'ManufacturerRootCertificate'))
  const [before] = await query("SELECT id FROM installed_certificate WHERE serial_number = '02'")

  await apply(list('Accepted', [hashData('02', 'SHA512'), hashData('03'), hashData('03')]))

  expect(await installed()).toEqual([
    { type: 'CentralSystemRoot', data: 'SHA256 AAbb 00FF 03' },
    { type: 'CentralSystemRoot', data: 'SHA512 AAbb 00FF 02' },
    { type: 'ManufacturerRoot', data: 'SHA256 AAbb 00FF 77' },
  ])
  expect(await query("SELECT id FROM installed_certificate WHERE serial_number = '02'")).toEqual([before])
})

test('NotFound is a list of none; any other refusal says nothing', async () => {
  await apply(list('Accepted', [hashData('01')]))
  await apply(list('Failed', undefined), news('GetInstalledCertificateIds', { stage: 'failed' }))
  expect(await installed()).toHaveLength(1)

  await apply(list('NotFound', undefined))

  expect(await installed()).toEqual([])
})

test('what a station deleted, or does not know, is gone; what it kept stays', async () => {
  await apply(list('Accepted', [hashData('01'), hashData('02'), hashData('03'), hashData('03', 'SHA384')]))

  await apply(
    deletion('requested', '', hashData('01')),
    deletion('rejected', 'Failed', hashData('01')),
    deletion('rejected', 'NotFound', hashData('02')),
    deletion('accepted', 'Accepted', hashData('03')),
  )

  expect((await installed()).map(({ data }) => data)).toEqual(['SHA256 AAbb 00FF 01', 'SHA384 AAbb 00FF 03'])
})

test('an installation is followed to its end, a late answer included', async () => {
  const sent = { certificateType: 'ManufacturerRootCertificate', certificate: root }
  const commandId = newId()
  const told = (stage: CommandNews['stage'], status?: string) =>
    news('InstallCertificate', { commandId, stage, sent, response: status === undefined ? {} : { status } })
  const rows = () => query('SELECT type, fingerprint, status, answer, answered_at FROM root_installation')
  const fingerprint = parseCertificate(root).fingerprint

  await apply(told('requested'))
  expect(await rows()).toMatchObject([
    { type: 'ManufacturerRoot', fingerprint, status: 'requested', answered_at: null },
  ])
  await apply(told('unknown'))
  await apply(told('rejected', 'Failed'))
  expect(await rows()).toMatchObject([{ status: 'rejected', answer: 'Failed', answered_at: expect.any(Date) }])
  expect(await installed()).toEqual([])
})

test('what can be read as no certificate is followed all the same', async () => {
  const sent = { certificateType: 'CentralSystemRootCertificate', certificate: 'x' }
  await apply(news('InstallCertificate', { stage: 'rejected', sent, response: { status: 'Rejected' } }))

  expect(await query('SELECT fingerprint, status FROM root_installation')).toEqual([
    { fingerprint: null, status: 'rejected' },
  ])
})

test('a station cannot fill the table', async () => {
  await apply(
    list(
      'Accepted',
      Array.from({ length: 500 }, (_, index) => hashData(String(index))),
    ),
  )

  expect(await installed()).toHaveLength(200)
})
