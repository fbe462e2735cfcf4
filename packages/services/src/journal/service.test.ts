import type { LogRecord } from '@busbar/backbone'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { parseRecord } from '../pipeline/inbound.js'
import { decisionContext, loggedCall, logRecord } from '../pipeline/testing.js'
import { createJournalService } from './service.js'

const service = createJournalService()
let store: TestDatabase

beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())
beforeEach(() => query('TRUNCATE journal_frame, heartbeat_count'))

const query = (text: string) => store.database.query<Record<string, unknown>>({ text, values: [] })

async function keep(...records: LogRecord[]): Promise<void> {
  const parsed = records.map((record) => parseRecord(record, service.reads))
  const state = await service.load(store.database, parsed, new Date())
  for (const record of parsed) service.decide(record, state, decisionContext(record))
  await store.database.commit(service.save(state))
}

const frames = () =>
  query(
    "SELECT kind, direction, action, message_id, note, convert_from(frame, 'UTF8') AS frame FROM journal_frame ORDER BY sequence, direction",
  )

test('a call is kept byte for byte with what its headers say', async () => {
  const value = Buffer.from('[ 2, "m-1",  "StatusNotification", {"connectorId": 1.0}]')

  await keep(
    loggedCall('StatusNotification', {}, { value, extraHeaders: { messageId: 'm-1', violations: '2', sequence: '9' } }),
  )

  expect(await query('SELECT * FROM journal_frame')).toEqual([
    {
      at: new Date('2026-03-01T10:00:00.000Z'),
      station_id: 'CP-1',
      connection_id: 'connection-1',
      direction: 'in',
      sequence: 9n,
      protocol: 'ocpp2.0.1',
      kind: 'call',
      action: 'StatusNotification',
      message_id: 'm-1',
      frame: value,
      note: 'tolerated violations: 2',
    },
  ])
})

test('secrets are masked', async () => {
  await keep(loggedCall('Authorize', { idToken: { idToken: '4711', type: 'KeyCode' } }))

  const [row] = await frames()
  expect(row?.frame).not.toContain('4711')
  expect(row?.frame).toContain('KeyCode')
})

test('a broken frame is kept, whatever its bytes', async () => {
  const value = Buffer.from([0x5b, 0x00, 0xff, 0xfe])
  const headers = { ...loggedCall('', {}).headers, type: 'broken', action: '', note: 'not JSON' }

  await keep(logRecord({ topic: 'busbar.ocpp.sent', value, headers }))

  expect(await query('SELECT kind, direction, frame, note FROM journal_frame')).toEqual([
    { kind: 'broken', direction: 'in', frame: value, note: 'not JSON' },
  ])
})

test('what we sent stands beside what we received under the same number', async () => {
  const received = loggedCall('BootNotification', {})
  const sent = logRecord({
    topic: 'busbar.ocpp.sent',
    value: Buffer.from('[3,"message-1",{}]'),
    headers: { ...received.headers, type: 'answer', direction: 'out' },
  })

  await keep(received, sent)

  expect((await frames()).map(({ kind, direction }) => [kind, direction])).toEqual([
    ['call', 'in'],
    ['result', 'out'],
  ])
})

test('a record that comes again is one row', async () => {
  const call = loggedCall('BootNotification', {})

  await keep(call, call)
  await keep(call)

  expect(await frames()).toHaveLength(1)
})

test('the outcome of a command is kept with its secrets masked', async () => {
  const outcome = {
    commandId: 'command-1',
    callIndex: 0,
    outcome: 'result',
    action: 'GetConfiguration',
    payload: { configurationKey: [{ key: 'AuthorizationKey', readonly: false, value: 'hunter22' }] },
  }
  const headers = { ...loggedCall('', {}).headers, type: 'outcome', protocol: 'ocpp1.6', action: 'GetConfiguration' }

  await keep(logRecord({ topic: 'busbar.ocpp.commands', value: Buffer.from(JSON.stringify(outcome)), headers }))

  const [row] = await frames()
  expect(row).toMatchObject({ kind: 'result', direction: 'in', action: 'GetConfiguration', note: 'command command-1' })
  expect(row?.frame).not.toContain('hunter22')
})

test('heartbeats are counted per station and day, and no frames', async () => {
  const presence = (heartbeats: number, receivedAt: string, type = 'presence') =>
    logRecord({
      value: Buffer.from(JSON.stringify({ heartbeats })),
      headers: { ...loggedCall('', {}).headers, type, receivedAt },
    })

  await keep(presence(3, '2026-03-01T10:00:00.000Z'), presence(2, '2026-03-01T23:59:59.999Z'))
  await keep(presence(1, '2026-03-02T00:00:00.000Z'), presence(4, '2026-03-02T00:01:00.000Z', 'disconnected'))

  expect(await query('SELECT station_id, day, count FROM heartbeat_count ORDER BY day')).toEqual([
    { station_id: 'CP-1', day: '2026-03-01', count: 5 },
    { station_id: 'CP-1', day: '2026-03-02', count: 5 },
  ])
  expect((await frames()).map(({ kind }) => kind)).toEqual(['disconnected'])
})

test.each(['due', 'follow-up', 'gateway-lost'])('a record of type %s is no frame', async (type) => {
  await keep(logRecord({ headers: { type, station: 'CP-1' } }))

  expect(await frames()).toEqual([])
})
