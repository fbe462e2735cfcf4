import type { LogRecord } from '@busbar/backbone'
import type { OcppError } from '@busbar/ocpp'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { decisionContext, inboundCall, loggedCall } from '../pipeline/testing.js'
import { createStationsService } from './service.js'
import { applyRecords, newsRecord, stationsDeps } from './testing.js'

const service = createStationsService(stationsDeps)
let store: TestDatabase

beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())

beforeEach(async () => {
  await query(
    'TRUNCATE station, station_state, evse, connector, protocol_address, variable, report_part, dead_letter CASCADE',
  )
  await query("INSERT INTO station (id, folded_id, updated_at) VALUES ('CP-1', 'cp-1', now()), ('CP-2', 'cp-2', now())")
})

const query = (text: string) => store.database.query<Record<string, unknown>>({ text, values: [] })

const apply = (...records: LogRecord[]) => applyRecords(store.database, records)

function of(station: string, record: LogRecord, headers: Record<string, string> = {}): LogRecord {
  return { ...record, key: station, headers: { ...record.headers, station, ...headers } }
}

const boot = loggedCall('BootNotification', {
  reason: 'PowerUp',
  chargingStation: { vendorName: 'ACME', model: 'One' },
})
const connected = {
  ...boot,
  value: Buffer.from('{"remoteAddress":"::1"}'),
  headers: { ...boot.headers, type: 'connected' },
}
const status = (connectorStatus: string, timestamp: string, evseId = 1) =>
  loggedCall('StatusNotification', { evseId, connectorId: 1, connectorStatus, timestamp })
const part = (seqNo: number, tbc: boolean, value: unknown = 'v', requestId = 7) =>
  loggedCall('NotifyReport', {
    requestId,
    seqNo,
    tbc,
    generatedAt: '2026-03-01T09:00:00Z',
    reportData: [{ component: { name: 'C' }, variable: { name: `V${seqNo}` }, variableAttribute: [{ value }] }],
  })

test('a batch is stored, and the next one goes on from it', async () => {
  await apply(of('CP-1', connected), of('CP-1', boot), of('CP-2', boot))
  await apply(of('CP-1', boot))

  expect(
    await query(
      'SELECT station_id, online, registration, boot_count, epoch, remote_address, vendor FROM station_state ORDER BY 1',
    ),
  ).toEqual([
    {
      station_id: 'CP-1',
      online: true,
      registration: 'Accepted',
      boot_count: 2,
      epoch: 1000n,
      remote_address: '::1',
      vendor: 'ACME',
    },
    {
      station_id: 'CP-2',
      online: false,
      registration: 'Accepted',
      boot_count: 1,
      epoch: 0n,
      remote_address: null,
      vendor: 'ACME',
    },
  ])
})

test('a boot of an earlier batch tells the reports before it from those after it', async () => {
  await apply(status('Occupied', '2026-02-28T23:00:00Z'))
  await apply(boot)
  await apply(status('Available', '2026-02-28T22:00:00Z'))
  expect(await query('SELECT status FROM connector')).toEqual([{ status: 'Available' }])
})

test('connectors survive from batch to batch, and a late report changes nothing', async () => {
  await apply(
    of('CP-1', status('Occupied', '2026-03-01T09:30:00Z')),
    of('CP-2', status('Available', '2026-03-01T09:00:00Z')),
  )
  await apply(
    of('CP-1', status('Available', '2026-03-01T09:00:00Z')),
    of('CP-1', status('Faulted', '2026-03-01T09:00:00Z', 2)),
  )

  const rows = await query(
    `SELECT a.station_id, e.number, c.number AS connector, c.status FROM connector c JOIN evse e ON e.id = c.evse_id
     JOIN protocol_address a ON a.connector_id = c.id ORDER BY 1, 2`,
  )
  expect(rows).toEqual([
    { station_id: 'CP-1', number: 1, connector: 1, status: 'Occupied' },
    { station_id: 'CP-1', number: 2, connector: 1, status: 'Faulted' },
    { station_id: 'CP-2', number: 1, connector: 1, status: 'Available' },
  ])
})

test('a report that comes in several batches becomes variables, and its parts go', async () => {
  await apply(of('CP-1', part(2, false)))
  await apply(of('CP-1', part(0, true)), of('CP-1', part(0, true)))
  expect(await query('SELECT seq_no FROM report_part ORDER BY 1')).toEqual([{ seq_no: 0 }, { seq_no: 2 }])
  expect(await query('SELECT * FROM variable')).toEqual([])

  await apply(of('CP-1', part(1, true)))

  expect(await query('SELECT variable_key, value, attribute_type FROM variable ORDER BY 1')).toEqual(
    ['v0', 'v1', 'v2'].map((variable_key) => ({ variable_key, value: 'v', attribute_type: 'Actual' })),
  )
  expect(await query('SELECT * FROM report_part')).toEqual([])
})

test('a report said again brings its variables up to date', async () => {
  await apply(of('CP-1', part(0, false, 'old')))
  await apply(of('CP-1', part(0, false, 'new', 8)))

  expect(await query('SELECT value FROM variable')).toEqual([{ value: 'new' }])
})

test('parts of reports that broke off go after a day', async () => {
  await apply(of('CP-1', part(0, true), { receivedAt: '2026-02-27T10:00:00.000Z' }))
  await apply(of('CP-1', part(0, true, 'v', 8)))

  expect(await query('SELECT request_id FROM report_part')).toEqual([{ request_id: 8 }])
})

test('what Postgres cannot hold becomes a dead letter, and its neighbours are stored once', async () => {
  await query("INSERT INTO station_state (station_id, boot_count) VALUES ('CP-2', 2147483647)")

  const { dead } = await apply(of('CP-1', boot), of('CP-2', boot), of('CP-1', boot))

  expect(dead).toHaveLength(1)
  expect(await query('SELECT station_id, boot_count FROM station_state ORDER BY 1')).toEqual([
    { station_id: 'CP-1', boot_count: 2 },
    { station_id: 'CP-2', boot_count: 2147483647 },
  ])
  const [letter] = await query('SELECT station_id, error, value FROM dead_letter')
  expect(letter).toMatchObject({ station_id: 'CP-2', error: expect.stringContaining('out of range') })
  expect(letter?.value).toEqual(boot.value)
})

test('NUL characters and lone surrogates do not stop a station', async () => {
  const value = String.raw`[2,"m","BootNotification",{"reason":"PowerUp","chargingStation":{"vendorName":"A\u0000\ud800","model":"M"}}]`

  const { dead } = await apply(of('CP-1', { ...boot, value: Buffer.from(value) }))

  expect(dead).toEqual([])
  expect(await query('SELECT vendor FROM station_state')).toEqual([{ vendor: 'A\uFFFD\uFFFD' }])
})

test.each([
  ['ocpp1.6', 'NotImplemented'],
  ['ocpp2.0.1', 'NotSupported'],
  ['ocpp2.1', 'NotSupported'],
] as const)('on %s a call that waits for a decision nobody makes is refused with %s', (protocol, code) => {
  const record = inboundCall('VendorsOwn', {}, { protocol })

  expect(() => service.decide(record, new Map(), decisionContext(record))).toThrow(
    expect.objectContaining({ code }) as OcppError,
  )
})

test('a call that was answered on log and has no decision is passed over', () => {
  const record = inboundCall('FirmwareStatusNotification', { status: 'Idle' }, { answer: 'log' })

  expect(service.decide(record, new Map(), decisionContext(record))).toEqual({})
})

const read = (attributeValue: string) => {
  const variable = { component: { name: 'c' }, variable: { name: 'V0' } }
  const getVariableResult = [{ attributeStatus: 'Accepted', attributeValue, ...variable }]
  return newsRecord({ action: 'GetVariables', response: { getVariableResult } }, 'ocpp2.0.1')
}
const variables = () => query('SELECT component, value, mutability, persistent FROM variable')
const persistent = loggedCall('NotifyReport', {
  requestId: 8,
  seqNo: 0,
  generatedAt: '2026-03-01T09:00:00Z',
  reportData: [
    {
      component: { name: 'C' },
      variable: { name: 'v0' },
      variableAttribute: [{ value: 'reported', mutability: 'ReadOnly', persistent: true }],
    },
  ],
})

test('what an answer says of a variable changes its value, and leaves what a report said besides', async () => {
  await apply(read('1'))
  expect(await variables()).toEqual([{ component: 'c', value: '1', mutability: null, persistent: null }])
  await apply(persistent)
  await apply(read('2'))
  expect(await variables()).toEqual([{ component: 'C', value: '2', mutability: 'ReadOnly', persistent: true }])
})

test.each([
  ['a report after it', () => [read('1'), persistent], 'reported', 'ReadOnly'],
  ['a report before it', () => [persistent, read('1'), read('2')], '2', 'ReadOnly'],
])('in one batch with %s, the later word counts', async (_, records, value, mutability) => {
  await apply(...records())
  expect(await variables()).toMatchObject([{ value, mutability }])
})

test('a report of many parts is read whole only with its last one, whatever their order', async () => {
  await apply(part(2, false))
  await apply(part(0, true))
  expect(await query('SELECT seq_no FROM report_part ORDER BY 1')).toEqual([{ seq_no: 0 }, { seq_no: 2 }])
  await apply(part(1, true), part(0, true, 'other', 9))
  expect((await query('SELECT variable FROM variable ORDER BY 1')).map(({ variable }) => variable)).toEqual([
    'V0',
    'V1',
    'V2',
  ])
  expect(await query('SELECT request_id, seq_no FROM report_part')).toEqual([{ request_id: 9, seq_no: 0 }])
})

test('a station that never ends its reports fills no table, and may report again a day later', async () => {
  const receivedAt = `'${boot.appendedAt.toISOString()}'::timestamptz`
  await query(`INSERT INTO report_part (station_id, request_id, seq_no, to_be_continued, report_data, received_at)
    SELECT 'CP-1', n, 0, true, '[]', ${receivedAt} FROM generate_series(1, 5000) n`)
  const count = () => query('SELECT count(*)::int AS parts FROM report_part')

  await apply(part(0, true, 'v', 6000))
  expect(await count()).toEqual([{ parts: 5000 }])

  await query("UPDATE report_part SET received_at = received_at - interval '25 hours'")
  await apply(part(0, true, 'v', 6000))
  expect(await count()).toEqual([{ parts: 1 }])
})
