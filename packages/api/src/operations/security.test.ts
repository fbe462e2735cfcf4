import { newId, Vault } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

const vault = new Vault('a test secret')
const id = 'CS-16'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi({ ports: { vault } })
})
afterAll(() => api.stop())
beforeEach(async () => {
  for (const table of [
    'command',
    'station_secret',
    'station',
    'station_state',
    'security_profile_change',
    'security_event',
  ]) {
    await api.database.query({ text: `DELETE FROM ${table}`, values: [] })
  }
  await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id } })
  await api.database.prisma.stationState.create({ data: { stationId: id, protocol: 'ocpp1.6' } })
})

const post = (path: string, payload: object) =>
  api.request('operator', { method: 'POST', url: `/v1/stations/${id}/${path}`, payload })

/** The payload, which the intake of these tests does not seal. */
async function sent(path: string, payload: object) {
  const response = await post(path, payload)
  expect(response.json()).toMatchObject({ status: 'queued', action: 'ChangeConfiguration' })
  const command = await api.database.prisma.command.findUniqueOrThrow({ where: { id: response.json().id } })
  return { ...(command.payload as { key: string; value: string }), warnings: response.json().warnings }
}

const password = '00112233445566778899aabbccddeeff'

/** As the commands service leaves it while a change is undecided. */
async function openChange(clear: string) {
  await api.database.prisma.stationSecret.create({
    data: { stationId: id, slot: 'pending', hash: vault.hashPassword(clear) },
  })
  const request = {
    stationId: id,
    protocol: 'ocpp1.6',
    action: 'ChangeConfiguration',
    requestedBy: 'x',
    status: 'timeout',
  }
  const payload = { key: 'authorizationkey', value: vault.seal(clear) }
  const times = { createdAt: new Date(), expiresAt: new Date() }
  await api.database.prisma.command.create({
    data: { ...request, ...times, id: newId(), payload, idempotencyKey: newId(), requestHash: 'x' },
  })
}

test('a password is taken in hex, or made, and never shown', async () => {
  expect(await sent('password', { password })).toEqual({ key: 'AuthorizationKey', value: password, warnings: [] })
  const made = await sent('password', {})
  expect(made.value).toMatch(/^[0-9a-f]{40}$/)
  expect((await post('password', {})).body).not.toMatch(/[0-9a-f]{40}/)
})

test.each(['', 'aa'.repeat(15), 'aa'.repeat(21), `${'aa'.repeat(16)}a`, 'zz'.repeat(16), 'plain-password-1'])(
  'the password %j is refused',
  async (bad) => {
    expect((await post('password', { password: bad })).statusCode).toBe(400)
  },
)

test('while a change is undecided only the same password is sent, and found again without naming it', async () => {
  await openChange(password)

  const refused = await post('password', { password: 'ff'.repeat(20) })
  expect(refused.statusCode).toBe(409)
  expect(refused.json().errors).toEqual([{ detail: expect.stringContaining('same password'), pointer: '/password' }])
  const warnings = [expect.stringContaining('same password')]
  expect(await sent('password', {})).toEqual({ key: 'AuthorizationKey', value: password, warnings })
  // The same bytes, spelled otherwise.
  expect((await sent('password', { password: password.toUpperCase() })).warnings).toEqual(warnings)
})

test('a pending password that an operator set, and Busbar does not know, is not replaced', async () => {
  await api.database.prisma.stationSecret.create({ data: { stationId: id, slot: 'pending', hash: 'scrypt:1' } })

  expect((await post('password', {})).statusCode).toBe(409)
})

const prove = (profile: number) =>
  api.database.prisma.stationState.update({
    where: { stationId: id },
    data: { securityProfile: profile, profileProvenAt: new Date(Date.now() + 1_000) },
  })
const change = async () => (await api.request('viewer', { url: `/v1/stations/${id}` })).json().securityProfileChange

test('a higher profile is told to the station, with what it will miss as warnings', async () => {
  const { warnings, ...payload } = await sent('security-profile', { profile: 3 })

  expect(payload).toEqual({ key: 'SecurityProfile', value: '3' })
  expect(warnings).toEqual([
    expect.stringContaining('not set up for TLS'),
    expect.stringContaining('root certificate'),
    expect.stringContaining('not accepted a certificate'),
  ])
})

test('a lower or the same profile than the station has proved is not sent', async () => {
  await prove(2)

  for (const profile of [1, 2]) expect((await post('security-profile', { profile })).statusCode).toBe(422)
  expect((await sent('security-profile', { profile: 3 })).value).toBe('3')
  for (const profile of [0, 4]) expect((await post('security-profile', { profile })).statusCode).toBe(400)
})

test.each([
  ['requested', 0, 'requested'],
  ['accepted', 1, 'awaiting-reset'],
  ['accepted', 2, 'proven'],
  ['unknown', 1, 'unknown'],
  ['unknown', 2, 'proven'],
  ['rejected', 1, 'rejected'],
  ['failed', 1, 'failed'],
])('a change to profile 2 that is %s, with %i proved, stands at %s', async (status, proven, state) => {
  expect(await change()).toBeNull()
  const at = new Date()
  const data = { stationId: id, profile: 2, status, commandId: newId(), requestedAt: at, answeredAt: at }
  await api.database.prisma.securityProfileChange.create({ data })
  await prove(proven)

  expect(await change()).toMatchObject({ profile: 2, state, requestedAt: at.toISOString() })
})

test('security events are listed, newest first, page by page', async () => {
  const receivedAt = new Date('2026-03-01T10:00:00Z')
  const events = [0, 1, 2, 3, 4].map((index) => ({
    ...{ stationId: id, contentKey: String(index), type: 'InvalidMessages', receivedAt, level: null },
    id: `00000000-0000-7000-8000-00000000000${index}`,
    occurredAt: new Date(Date.UTC(2020, 0, 1 + index)),
    techInfo: index === 0 ? null : `${index}`,
  }))
  await api.database.prisma.securityEvent.createMany({ data: events })

  const pages: { items: { techInfo?: string }[]; nextCursor: string | null }[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const url = `/v1/stations/${id}/security-events?limit=2${cursor && `&cursor=${cursor}`}`
    const page: (typeof pages)[number] = (await api.request('viewer', { url })).json()
    pages.push(page)
    cursor = page.nextCursor
  }

  const shown = pages.flatMap(({ items }) => items.map(({ techInfo }) => techInfo))
  expect(shown).toEqual(['4', '3', '2', '1', undefined])
  expect(pages[0]?.items[0]).toMatchObject({
    type: 'InvalidMessages',
    occurredAt: '2020-01-05T00:00:00.000Z',
    level: null,
  })
})
