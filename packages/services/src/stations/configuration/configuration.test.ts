import type { LogRecord } from '@busbar/backbone'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { loggedCall } from '../../pipeline/testing.js'
import { applyRecords, newsRecord } from '../testing.js'

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())
beforeEach(async () => {
  await store.database.query({ text: 'TRUNCATE station, station_state, variable CASCADE', values: [] })
})

const apply = (...records: LogRecord[]) => applyRecords(store.database, records)
const boot = loggedCall(
  'BootNotification',
  { chargePointVendor: 'ACME', chargePointModel: 'One' },
  { extraHeaders: { protocol: 'ocpp1.6' } },
)
const read = (configurationKey: object[], unknownKey: string[] = []) =>
  newsRecord({ action: 'GetConfiguration', response: { configurationKey, unknownKey } })
const change = (key: string, value: string, status: string) =>
  newsRecord({
    action: 'ChangeConfiguration',
    stage: status === 'Accepted' || status === 'RebootRequired' ? 'accepted' : 'rejected',
    sent: { key, value },
    response: { status },
  })

async function keys() {
  const rows = await store.database.query<{ key: string }>({
    text: `SELECT variable AS key, value, mutability, pending_value AS pending, is_unknown AS "isUnknown"
           FROM variable WHERE component_key = '' ORDER BY variable_key`,
    values: [],
  })
  return Object.fromEntries(rows.map(({ key, ...rest }) => [key, rest]))
}
const entry = (overrides: object) => ({ value: null, mutability: null, pending: null, isUnknown: false, ...overrides })

test('what a station reads out is kept: values, read-only ones, keys without a value and unknown ones', async () => {
  const told = [
    { key: 'NumberOfConnectors', readonly: true, value: '2' },
    { key: 'StopTxnSampledData', readonly: false },
  ]
  await apply(read(told, ['LightIntensity']))

  expect(await keys()).toEqual({
    LightIntensity: entry({ isUnknown: true }),
    NumberOfConnectors: entry({ value: '2', mutability: 'ReadOnly' }),
    StopTxnSampledData: entry({ mutability: 'ReadWrite' }),
  })
})

test('a change is true once accepted, and says nothing when rejected', async () => {
  await apply(read([{ key: 'HeartbeatInterval', readonly: false, value: '300' }]))
  await apply(change('heartbeatinterval', '60', 'Accepted'), change('HeartbeatInterval', '-1', 'Rejected'))

  expect(await keys()).toEqual({ HeartbeatInterval: entry({ value: '60', mutability: 'ReadWrite' }) })
})

test('a key that a change found not supported is unknown, until the station reads it out', async () => {
  await apply(change('Colour', 'green', 'NotSupported'))
  expect(await keys()).toEqual({ Colour: entry({ isUnknown: true }) })

  await apply(read([{ key: 'Colour', readonly: false, value: 'red' }]))
  expect(await keys()).toEqual({ Colour: entry({ value: 'red', mutability: 'ReadWrite' }) })
})

test('a change that waits for a boot is pending until then', async () => {
  await apply(read([{ key: 'SecurityProfile', readonly: false, value: '1' }]))
  await apply(change('SecurityProfile', '2', 'RebootRequired'))
  expect(await keys()).toMatchObject({ SecurityProfile: { value: '1', pending: '2' } })

  await apply(read([{ key: 'SecurityProfile', readonly: false, value: '1' }]))
  expect(await keys()).toMatchObject({ SecurityProfile: { value: '1', pending: '2' } })

  await apply(boot)
  expect(await keys()).toMatchObject({ SecurityProfile: { value: '2', pending: null } })
})

test.each([
  ['a read that shows it', read([{ key: 'A', readonly: false, value: '2' }]), '2'],
  ['another change that is accepted', change('A', '3', 'Accepted'), '3'],
])('nothing is pending any more after %s', async (_, record, value) => {
  await apply(change('A', '2', 'RebootRequired'), record)

  expect(await keys()).toMatchObject({ A: { value, pending: null } })
})

test('secrets are kept masked', async () => {
  await apply(read([{ key: 'AuthorizationKey', readonly: false, value: 'hidden' }]))
  await apply(change('AuthorizationKey', 'hidden too', 'RebootRequired'))

  expect(await keys()).toMatchObject({ AuthorizationKey: { value: '***', pending: '***' } })
})

test('a station that invents keys fills no table', async () => {
  await apply(read(Array.from({ length: 1_100 }, (_, index) => ({ key: `K${index}`, readonly: false, value: 'v' }))))

  expect(Object.keys(await keys())).toHaveLength(1_000)
})
