import { expect, test } from 'vitest'
import { later, vault } from './testing.js'
import { commandsWorld } from './testing-world.js'

const world = commandsWorld('ocpp1.6')
const { query } = world

const commands = () =>
  query(
    'SELECT station_id, action, payload, status, requested_by, protocol, error FROM command ORDER BY created_at, station_id DESC, idempotency_key',
  )
const stop = {
  stationId: 'CP-1',
  action: 'RemoteStopTransaction',
  payload: { transactionId: 5 },
  idempotencyKey: 'stop-5',
  requestedBy: 'transactions',
  reason: 'token refused after a safe answer',
}

test('a request over the log is written down, audited and sent', async () => {
  await world.apply([world.request({ ...stop, afterSequence: { connectionId: 'c-1', sequence: 9 } })])
  expect(await commands()).toMatchObject([
    { station_id: 'CP-1', status: 'dispatched', requested_by: 'transactions', protocol: 'ocpp1.6' },
  ])
  expect(world.dispatched).toMatchObject([
    { action: 'RemoteStopTransaction', afterSequence: { connectionId: 'c-1', sequence: 9 } },
  ])
  expect(await query('SELECT actor, details FROM audit_entry')).toMatchObject([
    { actor: 'transactions', details: { action: 'RemoteStopTransaction', reason: stop.reason } },
  ])
})

test('the same request again is no new command; once it has a verdict, that is told again', async () => {
  await world.apply([world.request(stop), world.request(stop)])
  await world.apply([world.request(stop)])
  expect(world.dispatched).toHaveLength(1)
  expect(world.results()).toEqual([])
  const id = String(world.dispatched[0]?.commandId)
  await world.apply([world.outcome(id, { outcome: 'result', payload: { status: 'Rejected' } })])
  await world.apply([world.request(stop)])
  expect(world.results()).toMatchObject([
    { commandId: id, status: 'rejected' },
    { commandId: id, status: 'rejected' },
  ])
  expect(await commands()).toHaveLength(1)
})

test('another request under the same key is refused', async () => {
  await world.apply([world.request(stop), world.request({ ...stop, payload: { transactionId: 6 } })])
  expect(world.results()).toMatchObject([{ commandId: null, status: 'error', error: { code: 'Conflict' } }])
  expect(world.dispatched).toHaveLength(1)
})

test.each([
  ['a payload that breaks the schema', { ...stop, payload: { transactionId: 'five' } }],
  ['an action the station does not know', { ...stop, action: 'GetVariables' }],
  ['a payload that is none', { ...stop, payload: 5 }],
  ['no idempotency key', { ...stop, idempotencyKey: undefined }],
  ['nothing but a station', { stationId: 'CP-1' }],
  ['nothing at all', {}],
  ['an expiry that is no time', { ...stop, expiresAt: 'soon' }],
  ['an id that is none', { ...stop, commandId: '1; DROP TABLE command' }],
])('%s gets a verdict and is kept, and its neighbour goes on', async (_, value) => {
  await world.apply([world.request(value), world.request({ ...stop, idempotencyKey: 'neighbour' })])
  expect(world.results()).toMatchObject([
    { commandId: expect.any(String), stationId: 'CP-1', status: 'error', error: { code: 'BadRequest' } },
  ])
  expect((await commands()).map(({ status }) => status).sort()).toEqual(['dispatched', 'error'])
})

test('a request under the key of another station goes to the owner of its own', async () => {
  await world.apply([world.request(stop, 'CP-2')])
  expect(await commands()).toEqual([])
  expect(world.sent).toMatchObject([{ topic: world.topics.commands, key: 'CP-1' }])
  expect(JSON.parse(String(world.sent[0]?.value))).toMatchObject({ stationId: 'CP-1', idempotencyKey: 'stop-5' })
})

test('a request that waited longer in the log than a command lasts is expired', async () => {
  const record = world.request(stop)
  world.now = later(46)
  await world.apply([record])
  await world.apply(world.takeAppended())
  expect(world.dispatched).toEqual([])
  expect(await commands()).toMatchObject([{ status: 'expired' }])
})

test('secrets of a request are sealed before they are written', async () => {
  const value = '00112233445566778899aabbccddeeff'
  await world.apply([
    world.request({ ...stop, action: 'ChangeConfiguration', payload: { key: 'AuthorizationKey', value } }),
  ])
  const [row] = await commands()
  expect(JSON.stringify([row, world.sent])).not.toContain(value)
  expect(vault.open(String(Reflect.get(Object(row?.payload), 'value')))).toBe(value)
})

test('a station that never connected is asked in a version it may speak, and nobody takes the CALL', async () => {
  world.dispatch = () => ({ receivers: 0, epoch: null, gatewayId: null })
  const at = (stationId: string, action: string, payload: object) =>
    world.request({ ...stop, stationId, action, payload, idempotencyKey: stationId }, stationId)
  await query(
    "INSERT INTO station (id, folded_id, protocols, updated_at) VALUES ('CP-16', 'cp-16', '{ocpp1.6}', now())",
  )
  await world.apply([
    at('CP-9', 'GetVariables', { getVariableData: [{ component: { name: 'C' }, variable: { name: 'V' } }] }),
    at('CP-16', 'Reset', { type: 'Hard' }),
  ])
  await world.apply(world.takeAppended())
  expect(await commands()).toMatchObject([
    { station_id: 'CP-9', protocol: 'ocpp2.0.1', status: 'undeliverable' },
    { station_id: 'CP-16', protocol: 'ocpp1.6', status: 'undeliverable' },
  ])
})
