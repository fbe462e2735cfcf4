import { parseCertificate } from '@busbar/pki'
import { Vault } from '@busbar/store'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

const vault = new Vault('a test secret')
let api: TestApi
beforeAll(async () => {
  api = await startTestApi({ ports: { vault }, config: { operatorName: 'The operator' } })
})
afterAll(() => api.stop())

const create = (payload: object, role: 'admin' | 'operator' = 'admin') =>
  api.request(role, { method: 'POST', url: '/v1/certificate-authorities', payload })

test('an authority is made: its root is trusted, its key sealed and told nobody', async () => {
  const response = await create({ name: 'Fleet', algorithm: 'rsa-2048', years: 10 })

  expect(response.statusCode).toBe(201)
  const { id, root, certificate, ...rest } = response.json()
  expect(rest).toMatchObject({ organization: 'The operator', rsaPadding: 'pkcs1', validityDays: 365 })
  const { fingerprint, subject } = parseCertificate(root)
  expect(subject).toMatchObject({ commonName: 'Fleet Root', organization: 'The operator' })
  expect(await api.database.prisma.trustAnchor.findMany({ select: { fingerprint: true, certificate: true } })).toEqual([
    { fingerprint, certificate: root },
  ])
  const row = await api.database.prisma.certificateAuthority.findUniqueOrThrow({ where: { id } })
  expect(vault.open(row.sealedKey)).toContain('BEGIN PRIVATE KEY')
  expect(response.body).not.toContain('PRIVATE')
  expect(response.body).not.toContain('sealed')
  expect(
    JSON.stringify(await api.database.prisma.auditEntry.findMany(), (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    ),
  ).not.toMatch(/PRIVATE|sealed/)
  expect(parseCertificate(certificate).isAuthority).toBe(true)
})

test('they are listed, newest first', async () => {
  await create({ name: 'Second' })

  const { items } = (await api.request('viewer', { url: '/v1/certificate-authorities' })).json()

  expect(items.map(({ name, algorithm }: Record<string, string>) => [name, algorithm])).toEqual([
    ['Second', 'ec-p256'],
    ['Fleet', 'rsa-2048'],
  ])
})

test('only an admin may, and only what the draft knows', async () => {
  expect((await create({ name: 'x' }, 'operator')).statusCode).toBe(403)
  expect((await create({ name: 'x', algorithm: 'rsa-1024' })).statusCode).toBe(400)
  expect((await create({})).statusCode).toBe(400)
})
