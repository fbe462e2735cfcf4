import type { LogRecord } from '@busbar/backbone'
import { createTestDatabase, newId, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CommandNews, commandNewsType } from '../pipeline/command-news.js'
import { loggedCall, logRecord } from '../pipeline/testing.js'
import { applyRecords, serviceOf } from '../pipeline/testing-batches.js'
import { maskSecrets } from './alarms.js'
import { securityPart } from './part.js'

let store: TestDatabase

beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())
beforeEach(() => query('TRUNCATE security_event, security_profile_change'))

const query = (text: string) => store.database.query<Record<string, unknown>>({ text, values: [] })

async function apply(...records: LogRecord[]) {
  const { decided } = await applyRecords(serviceOf(securityPart), records, { database: store.database })
  return decided.map(({ decision }) => decision)
}

function event(type: string, timestamp = '2026-03-01T09:00:00Z', techInfo?: string, at = '2026-03-01T10:00:00Z') {
  const payload = { type, timestamp, ...(techInfo !== undefined && { techInfo }) }
  const extraHeaders = { protocol: 'ocpp1.6', answer: 'log', receivedAt: at }
  return loggedCall('SecurityEventNotification', payload, { extraHeaders })
}

test('an event of long ago is kept as it happened and told, its answer is empty', async () => {
  const [decision] = await apply(event('InvalidTLSVersion', '2021-05-06T07:08:09Z', 'TLS 1.0'))

  expect(decision?.answer).toEqual({ result: {} })
  expect(decision?.events).toMatchObject([
    {
      type: 'security.event',
      time: new Date('2021-05-06T07:08:09Z'),
      data: { type: 'InvalidTLSVersion', level: null },
    },
  ])
  expect(await query('SELECT * FROM security_event')).toMatchObject([
    { type: 'InvalidTLSVersion', occurred_at: new Date('2021-05-06T07:08:09Z'), tech_info: 'TLS 1.0', level: null },
  ])
})

test.each([
  ['TamperDetectionActivated', 'critical'],
  ['SettingSystemTime', 'warning'],
  ['StartupOfTheDevice', 'notice'],
])('%s raises an alarm: %s', async (type, level) => {
  const [decision] = await apply(event(type))

  expect(decision?.events?.map((each) => each.type)).toEqual(['security.event', 'security.alarm'])
  expect(decision?.events?.[1]?.data).toMatchObject({ type, level })
})

test('what the standard does not call critical, and what vendors invent, raises none', async () => {
  const decisions = await apply(event('InvalidChargePointCertificate'), event('toString'), event('x'.repeat(50)))

  expect(decisions.flatMap(({ events = [] }) => events.map(({ type }) => type))).toEqual(
    Array(3).fill('security.event'),
  )
})

test('the same event again is kept and told once, in one batch and later', async () => {
  const same = event('FirmwareUpdated', '2026-03-01T09:00:00Z', 'v2')

  const [first, second] = await apply(same, same)
  const [third] = await apply(same)
  await apply(event('FirmwareUpdated', '2026-03-01T09:00:01Z', 'v2'))

  expect([first, second, third].map((decision) => decision?.events?.length ?? 0)).toEqual([2, 0, 0])
  expect(await query('SELECT count(*)::int AS count FROM security_event')).toEqual([{ count: 2 }])
})

test('a flood is cut off and told once, and ends with its hour', async () => {
  const flood = (from: number, count: number, at?: string) =>
    Array.from({ length: count }, (_, index) => event('InvalidMessages', '2026-03-01T09:00:00Z', `${from + index}`, at))

  const decisions = [...(await apply(...flood(0, 150))), ...(await apply(...flood(150, 150)))]
  const later = await apply(...flood(300, 1, '2026-03-01T11:00:01Z'))

  expect(await query('SELECT count(*)::int AS count FROM security_event')).toEqual([{ count: 201 }])
  const alarms = decisions.flatMap(({ events = [] }) => events.filter(({ type }) => type === 'security.alarm'))
  expect(alarms).toMatchObject([{ data: { type: 'SecurityEventFlood' } }])
  expect(later[0]?.events).toHaveLength(1)
})

test.each([
  ['AuthorizationKey = 00112233445566778899aabbccddeeff changed', 'AuthorizationKey = *** changed'],
  ['new value 00112233445566778899AABBCCDDEEFF00112233', 'new value ***'],
  ['ftp://user:pass@host/log', 'ftp://***@host/log'],
  ['{"password":"hunter2","x":1}', '{"password":"***","x":1}'],
  ['-----BEGIN EC PRIVATE KEY-----\nabc', '***'],
  ['certificate 0a1b, valid until 2027', 'certificate 0a1b, valid until 2027'],
])('%j is kept as %j', (text, expected) => {
  expect(maskSecrets(text)).toBe(expected)
})

function change(stage: CommandNews['stage'], commandId: string, value = '2', key = 'SecurityProfile') {
  const news: Partial<CommandNews> = { stage, commandId, sent: { key, value }, response: {} }
  const headers = { type: commandNewsType, station: 'CP-1', action: 'ChangeConfiguration' }
  return logRecord({ value: Buffer.from(JSON.stringify(news)), headers })
}

const changes = () => query('SELECT profile, status, command_id FROM security_profile_change')

test('the last change of the profile is followed, whatever came of it', async () => {
  const [first, second] = [newId(), newId()]
  await apply(change('requested', first))
  expect(await changes()).toEqual([{ profile: 2, status: 'requested', command_id: first }])
  const [decision] = await apply(change('accepted', first))
  expect(decision?.events).toEqual([
    { type: 'security.profile-change', subject: 'station', data: { profile: 2, status: 'accepted' } },
  ])

  await apply(change('requested', second, '3'), change('rejected', first), change('rejected', second, '3'))

  expect(await changes()).toEqual([{ profile: 3, status: 'rejected', command_id: second }])
})

test('other keys, and values that are no profile, change nothing', async () => {
  await apply(change('requested', newId(), '60', 'HeartbeatInterval'), change('requested', newId(), 'high'))

  expect(await changes()).toEqual([])
})
