import { type ChannelListener, gatewaysChannel, type RefusedAttempt, refusedChannel } from '@busbar/backbone'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { selfSigned, TestAuthority } from '../../../../test/support/certificates.js'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
let root: TestAuthority

beforeAll(async () => {
  ;[api, root] = await Promise.all([startTestApi(), TestAuthority.create('Stations')])
})
afterAll(() => api.stop())

const post = (url: string, body: object, role: 'admin' | 'operator' = 'admin') =>
  api.request(role, { method: 'POST', url, payload: body })
const auditOf = async (targetId: string) =>
  (await api.database.prisma.auditEntry.findMany({ where: { targetId } })).map(({ action }) => action)

test('a trust anchor is added, listed and deleted, each in the audit log', async () => {
  const added = await post('/v1/trust-anchors', { name: 'Our stations', certificate: root.certificate })
  expect(added.statusCode).toBe(201)
  const anchor = added.json()
  expect(anchor).toMatchObject({ name: 'Our stations', fingerprint: root.fingerprint, certificate: root.certificate })

  expect((await api.request('viewer', { url: '/v1/trust-anchors' })).json().items).toEqual([anchor])
  expect((await post('/v1/trust-anchors', { name: 'Again', certificate: root.certificate })).statusCode).toBe(409)
  const deleted = await api.request('admin', { method: 'DELETE', url: `/v1/trust-anchors/${anchor.id}` })
  expect(deleted.statusCode).toBe(204)
  expect((await api.request('viewer', { url: '/v1/trust-anchors' })).json().items).toEqual([])
  expect(await auditOf(anchor.id)).toEqual(['trust-anchor.create', 'trust-anchor.delete'])
})

test('what cannot vouch for stations is no trust anchor, with each reason', async () => {
  const past = new Date(Date.now() - 1_000)
  const leaf = await selfSigned({ commonName: 'No authority', notAfter: past })
  const refusals = await Promise.all(
    [leaf.certificate, 'no PEM', root.certificate + root.certificate].map((certificate) =>
      post('/v1/trust-anchors', { name: 'x', certificate }),
    ),
  )

  expect(refusals.map(({ statusCode }) => statusCode)).toEqual([422, 422, 422])
  expect(refusals[0]?.json().errors).toMatchObject([
    { pointer: '/certificate', detail: expect.stringContaining('authority') },
    { pointer: '/certificate', detail: expect.stringContaining('expired') },
  ])
})

test('a certificate is revoked by itself or by its fingerprint in any spelling, and restored', async () => {
  const issued = await root.issue({ commonName: 'SN-1' })
  const other = await root.issue({ commonName: 'SN-2' })
  const spelled = (other.fingerprint.toUpperCase().match(/../g) ?? []).join(':')

  const first = await post('/v1/revoked-certificates', { certificate: issued.chain, reason: 'lost', stationId: 'CP-1' })
  const second = await post('/v1/revoked-certificates', { fingerprint: spelled })

  expect(first.json()).toMatchObject({ fingerprint: issued.fingerprint, reason: 'lost', stationId: 'CP-1' })
  expect(second.json()).toMatchObject({ fingerprint: other.fingerprint, reason: null, stationId: null })
  const url = `/v1/revoked-certificates/${other.fingerprint}`
  expect((await api.request('admin', { method: 'DELETE', url })).statusCode).toBe(204)
  expect((await api.request('admin', { method: 'DELETE', url })).statusCode).toBe(404)
  const { items } = (await api.request('auditor', { url: '/v1/revoked-certificates' })).json()
  expect(items).toEqual([first.json()])
  expect(await auditOf(other.fingerprint)).toEqual(['certificate.revoke', 'certificate.restore'])
})

test.each([
  [{}, 400],
  [{ fingerprint: 'abc' }, 400],
  [{ fingerprint: 'a'.repeat(64), certificate: 'x' }, 400],
  [{ certificate: 'no PEM' }, 422],
])('a revocation of %j is refused', async (body, status) => {
  expect((await post('/v1/revoked-certificates', body)).statusCode).toBe(status)
})

test('only an admin decides whom the gateways believe', async () => {
  expect((await post('/v1/trust-anchors', { name: 'x', certificate: 'x' }, 'operator')).statusCode).toBe(403)
  expect((await post('/v1/revoked-certificates', { fingerprint: 'a'.repeat(64) }, 'operator')).statusCode).toBe(403)
})

test('the profile a station proved binds it until an operator chooses one', async () => {
  const { database } = api
  await post('/v1/stations', { id: 'CP-7', securityProfile: 1, controllerSerialNumber: 'LC-1' })
  const profileProvenAt = new Date(Date.now() + 1_000)
  await database.prisma.stationState.create({ data: { stationId: 'CP-7', securityProfile: 3, profileProvenAt } })
  const read = async () => (await api.request('viewer', { url: '/v1/stations/CP-7' })).json()

  expect(await read()).toMatchObject({ securityProfile: 1, provenProfile: 3, controllerSerialNumber: 'LC-1' })
  await database.prisma.stationState.updateMany({ data: { profileProvenAt: new Date(Date.now() - 1_000) } })
  await api.request('operator', { method: 'PATCH', url: '/v1/stations/CP-7', payload: { securityProfile: 2 } })

  expect(await read()).toMatchObject({ securityProfile: 2, provenProfile: 0 })
})

/** A gateway that turned these away; a silent one for null. @returns ends it */
async function answerQueries(
  gatewayId: string,
  attempts: readonly RefusedAttempt[] | null,
): Promise<() => Promise<void>> {
  const listener: ChannelListener = {
    receive(query) {
      if (query.kind !== 'refused-query' || attempts === null) return
      const message = { kind: 'refused-attempts', gatewayId, attempts } as const
      void api.channels.publish([{ channel: refusedChannel(query.id), message }])
    },
  }
  await api.channels.subscribe(gatewaysChannel, listener)
  return () => api.channels.unsubscribe(gatewaysChannel, listener)
}

test('those who were refused are asked of the gateways', async () => {
  const attempt = { stationId: 'CP-9', reason: 'certificate-expired', address: '192.0.2.1', count: 2 }
  const attempts = [
    { ...attempt, lastAt: '2026-01-01T00:00:00.000Z' },
    { ...attempt, stationId: '', reason: 'tls-version', lastAt: '2026-01-02T00:00:00.000Z' },
  ]
  const stop = await answerQueries('gateway-1', attempts)

  const { items, gateways } = (await api.request('viewer', { url: '/v1/refused-attempts' })).json()
  await stop()

  expect(gateways).toBe(1)
  expect(items).toMatchObject([
    { stationId: null, reason: 'tls-version', gateways: ['gateway-1'] },
    { stationId: 'CP-9', reason: 'certificate-expired', count: 2 },
  ])
  expect((await api.request('viewer', { url: '/v1/refused-attempts' })).json()).toEqual({
    items: [],
    gateways: 0,
    silentGateways: 0,
  })
})

test('what several gateways know of a caller is one entry; one that does not answer is told', async () => {
  const { database } = api
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()
  await database.prisma.stationState.create({ data: { stationId: 'CAME-IN', connectedAt: at(30) } })
  const attempt = { stationId: 'BOTH', reason: 'credentials', address: '192.0.2.1', count: 2, lastAt: at(10) }
  const many = Array.from({ length: 999 }, (_, index) => ({ ...attempt, stationId: `MANY-${index}`, lastAt: at(1) }))
  const known = {
    one: [
      attempt,
      { ...attempt, stationId: 'CAME-IN', lastAt: at(29) },
      { ...attempt, stationId: '', reason: 'tls-version', lastAt: at(5) },
      ...many,
    ],
    two: [
      { ...attempt, reason: 'profile', address: '192.0.2.2', count: 3, lastAt: at(20) },
      { ...attempt, stationId: 'CAME-IN', lastAt: at(31), count: 1 },
      { ...attempt, stationId: '', reason: 'tls-suite', lastAt: at(6) },
    ],
    silent: null,
  }
  const stops = await Promise.all(
    Object.entries(known).map(([gatewayId, attempts]) => answerQueries(gatewayId, attempts)),
  )

  const { items, gateways, silentGateways } = (await api.request('viewer', { url: '/v1/refused-attempts' })).json()
  for (const stop of stops) await stop()

  expect({ gateways, silentGateways }).toEqual({ gateways: 2, silentGateways: 1 })
  expect(items.slice(0, 3)).toEqual([
    { ...attempt, stationId: 'CAME-IN', registered: false, count: 1, lastAt: at(31), gateways: ['two'] },
    {
      stationId: 'BOTH',
      registered: false,
      reason: 'profile',
      address: '192.0.2.2',
      count: 5,
      lastAt: at(20),
      gateways: ['two', 'one'],
    },
    {
      ...attempt,
      stationId: null,
      registered: false,
      reason: 'tls-suite',
      count: 4,
      lastAt: at(6),
      gateways: ['two', 'one'],
    },
  ])
  expect(items).toHaveLength(1_000)
})

test('one who was refused is registered as it called itself, and only one who was', async () => {
  const lastAt = '2026-01-01T00:00:00.000Z'
  const attempts = [{ stationId: 'Came Along', reason: 'unknown', address: '192.0.2.1', count: 2, lastAt }]
  const stop = await answerQueries('gateway-1', attempts)
  const listed = async () => (await api.request('viewer', { url: '/v1/refused-attempts' })).json().items
  const register = (id: string, body: object) =>
    post(`/v1/refused-attempts/${encodeURIComponent(id)}/register`, body, 'operator')

  expect(await listed()).toMatchObject([{ stationId: 'Came Along', registered: false }])
  const registered = await register('Came Along', { name: 'By the gate', tags: ['new'] })
  expect(registered.statusCode).toBe(201)
  expect(registered.json()).toMatchObject({ id: 'Came Along', name: 'By the gate', tags: ['new'] })
  expect(registered.json().password).toMatch(/^[0-9a-f]{40}$/)
  expect(await auditOf('Came Along')).toEqual(['station.create'])
  expect(await listed()).toMatchObject([{ stationId: 'Came Along', registered: true }])

  expect((await register('Came Along', {})).statusCode).toBe(409)
  expect((await register('came along', {})).statusCode).toBe(404)
  expect((await register('Came Along', { id: 'Another' })).statusCode).toBe(400)
  const stopSilent = await answerQueries('gateway-2', null)
  const unsure = await register('NOBODY', {})
  expect(unsure.statusCode).toBe(503)
  expect(unsure.headers['retry-after']).toBe('5')
  expect((await register('Came Along', {})).statusCode).toBe(409)
  await stopSilent()
  await stop()
})
