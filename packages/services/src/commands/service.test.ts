import { inspect } from 'node:util'
import { createTestDatabase, type TestDatabase, UnavailableError } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { later, now, vault } from './testing.js'
import { type CommandsWorld, commandsWorld } from './testing-world.js'

let store: TestDatabase
let world: CommandsWorld

beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())
beforeEach(async () => {
  await query('TRUNCATE command, audit_entry, outbox, job, station_counter, station_secret, station_state, variable')
  world = commandsWorld(store.database)
})

const query = (text: string) => store.database.query<Record<string, unknown>>({ text, values: [] })
const accepted = { outcome: 'result', payload: { status: 'Accepted' } }

test('a command of the API goes out once and gets its verdict', async () => {
  const { id, records } = await world.send()
  await world.apply(records)
  expect(world.dispatched).toEqual([
    {
      kind: 'command',
      commandId: id,
      callIndex: 0,
      action: 'Reset',
      payload: { type: 'Immediate' },
      expiresAt: later(45).toISOString(),
    },
  ])
  expect(await world.command(id)).toMatchObject({ status: 'dispatched', dispatched_at: now })
  expect(await world.jobs()).toEqual([{ kind: 'verdict', key: id, due_at: later(80) }])

  world.now = later(1)
  await world.apply([world.outcome(id, accepted)])
  expect(await world.command(id)).toMatchObject({
    status: 'accepted',
    response: { status: 'Accepted' },
    error: null,
    epoch: 7n,
    completed_at: later(1),
  })
  expect(world.decisions.at(-1)?.verdicts).toEqual([
    { commandId: id, status: 'accepted', response: { status: 'Accepted' }, error: null },
  ])
  expect(world.results()).toMatchObject([{ commandId: id, stationId: 'CP-1', status: 'accepted', followUp: 'none' }])
  expect(world.sent.map(({ topic }) => topic)).toEqual([world.topics.events, world.topics.commandResults])
  expect(await world.jobs()).toEqual([])
})

test('the row and its audit entry stand before anything is sent', async () => {
  const { id } = await world.send({ action: 'ClearCache', payload: {} })
  expect(await world.command(id)).toMatchObject({ status: 'queued', follow_up: 'none', calls: [] })
  expect(await query('SELECT actor, action, target_type, target_id, details FROM audit_entry')).toEqual([
    {
      actor: 'operator',
      action: 'command.send',
      target_type: 'station',
      target_id: 'CP-1',
      details: { commandId: id, action: 'ClearCache' },
    },
  ])
})

test('the same key twice is one command', async () => {
  const first = await world.send({ idempotencyKey: 'once' })
  const second = await world.send({ idempotencyKey: 'once' })
  expect([first.isNew, second.isNew]).toEqual([true, false])
  expect(second.records).toEqual([])
  expect(await query('SELECT count(*)::int AS count FROM audit_entry')).toEqual([{ count: 1 }])
})

test('a record that comes twice dispatches once, in one batch or in two', async () => {
  const { records } = await world.send()
  await world.apply([...records, ...records])
  await world.apply(records)
  expect(world.dispatched).toHaveLength(1)
})

test('after a crash between commit and dispatch nothing is sent, and the command ends unknown', async () => {
  const { id, records } = await world.send()
  await world.apply(records, 'crash')
  await world.apply(records)
  expect(world.dispatched).toEqual([])

  world.now = later(79)
  await world.apply([world.due('verdict', id)])
  expect(await world.jobs()).toEqual([{ kind: 'verdict', key: id, due_at: later(80) }])
  world.now = later(80)
  await world.apply([world.due('verdict', id)])
  expect(await world.command(id)).toMatchObject({ status: 'unknown' })
  expect(await world.jobs()).toEqual([])
})

test.each([
  ['is not registered', () => ({ receivers: 0, epoch: null, gatewayId: null }), 'NotConnected'],
  ['has nobody listening', () => ({ receivers: 0, epoch: 7, gatewayId: 'g' }), 'NotConnected'],
  [
    'cannot be reached because the channels are away',
    () => {
      throw new UnavailableError('Redis: Connection is closed.')
    },
    'ChannelsUnavailable',
  ],
])('a command to a station that %s is undeliverable at once', async (_, dispatch, code) => {
  world.dispatch = dispatch
  const { id, records } = await world.send()
  await world.apply(records)
  await world.apply(world.takeAppended())
  expect(await world.command(id)).toMatchObject({ status: 'undeliverable', error: { code } })
  expect(world.results()).toMatchObject([{ commandId: id, status: 'undeliverable' }])
})

test('a command that may be on its way when the channels break off is unknown at once', async () => {
  world.dispatch = () => 'unsure'
  const { id, records } = await world.send()
  await world.apply(records)
  await world.apply(world.takeAppended())
  expect(await world.command(id)).toMatchObject({ status: 'unknown', error: { code: 'ChannelsUnavailable' } })
})

test('a command that was handed out before our books were set back waits for what became of it', async () => {
  world.dispatch = () => 'repeated'
  const { id, records } = await world.send()
  await world.apply(records)
  expect(world.takeAppended()).toEqual([])
  await world.apply([world.outcome(id, { outcome: 'result', payload: { status: 'Accepted' } })])
  expect(await world.command(id)).toMatchObject({ status: 'accepted' })
})

test('a command that waited too long is expired and not sent', async () => {
  const { id, records } = await world.send()
  world.now = later(45)
  await world.apply(records)
  await world.apply(world.takeAppended())
  expect(world.dispatched).toEqual([])
  expect(await world.command(id)).toMatchObject({ status: 'expired' })
  expect(await world.jobs()).toEqual([])
})

test('a worker that slept after its commit sends nothing late', async () => {
  const { id, records } = await world.send()
  world.dispatch = () => {
    throw new Error('dispatched after expiry')
  }
  const readings = [now]
  world.setClock(() => readings.shift() ?? later(300))
  await world.apply(records)
  await world.apply(world.takeAppended())
  expect(await world.command(id)).toMatchObject({ status: 'expired' })
})

test('words and requests of many commands share one batch', async () => {
  const commands = await Promise.all([world.send(), world.send(), world.send()])
  const records = commands.flatMap((each) => each.records)
  await world.apply(records)
  const [first, second] = commands
  await world.apply([
    world.outcome(first.id, accepted),
    world.outcome(second.id, { outcome: 'error', error: { code: 'InternalError', description: 'no' } }),
    world.outcome(first.id, { outcome: 'timeout' }),
  ])
  expect(await query('SELECT status FROM command ORDER BY status')).toEqual([
    { status: 'accepted' },
    { status: 'dispatched' },
    { status: 'error' },
  ])
})

test('a late result is kept beside the verdict', async () => {
  const { id, records } = await world.send()
  await world.apply(records)
  await world.apply([world.outcome(id, { outcome: 'timeout' })])
  await world.apply([world.outcome(id, { ...accepted, late: true })])
  expect(await world.command(id)).toMatchObject({
    status: 'timeout',
    response: null,
    late_response: { status: 'Accepted' },
  })
  expect(world.results().map(({ status }) => status)).toEqual(['timeout'])
})

test('an answer that breaks its schema fails the command, with the answer kept', async () => {
  const { id, records } = await world.send()
  await world.apply(records)
  await world.apply([world.outcome(id, { outcome: 'result', payload: { status: 'Perhaps' } })])
  expect(await world.command(id)).toMatchObject({
    status: 'error',
    error: { code: 'PropertyConstraintViolation' },
    response: { status: 'Perhaps' },
  })
})

test("another station's word changes nothing", async () => {
  const { id, records } = await world.send()
  await world.apply(records)
  const record = world.outcome(id, accepted)
  await world.apply([{ ...record, key: 'CP-2', headers: { ...record.headers, station: 'CP-2' } }])
  expect(await world.command(id)).toMatchObject({ status: 'dispatched' })
})

test('omitted ids come from counters that persist, above those a caller named', async () => {
  const requestIds: unknown[] = []
  for (const payload of [{}, { requestId: 40 }, {}, { requestId: 7 }, {}]) {
    const { records } = await world.send({
      action: 'GetBaseReport',
      payload: { reportBase: 'FullInventory', ...payload },
    })
    await world.apply(records)
    requestIds.push(Reflect.get(world.dispatched.at(-1)?.payload ?? {}, 'requestId'))
  }
  expect(requestIds).toEqual([1, 40, 41, 7, 42])
  const { id, records } = await world.send({
    action: 'RequestStartTransaction',
    payload: { idToken: { idToken: 'A', type: 'Central' } },
  })
  await world.apply(records)
  expect(world.dispatched.at(-1)?.payload).toMatchObject({ remoteStartId: 1 })
  expect(await world.command(id)).toMatchObject({ calls: [{ payload: { remoteStartId: 1 } }] })
})

test('the next list is newer than the one a station reports, however old the other words are', async () => {
  const list = { protocol: 'ocpp1.6' as const, action: 'SendLocalList', payload: { updateType: 'Full' } }
  const versions: unknown[] = []
  for (const reported of [-1, 0, 12, 3]) {
    const question = await world.send({ protocol: 'ocpp1.6', action: 'GetLocalListVersion', payload: {} })
    await world.apply(question.records)
    await world.apply([world.outcome(question.id, { outcome: 'result', payload: { listVersion: reported } })])
    await world.apply((await world.send(list)).records)
    versions.push(Reflect.get(world.dispatched.at(-1)?.payload ?? {}, 'listVersion'))
  }
  expect(versions).toEqual([1, 2, 13, 14])
})

test('a command is split by what the station has reported, and its answers are merged', async () => {
  await query(`INSERT INTO variable (station_id, component_key, variable_key, variable_instance, attribute_type, component,
      variable, value, updated_at)
    VALUES ('CP-1', 'devicedatactrlr', 'itemspermessage', 'getvariables', 'Actual', 'DeviceDataCtrlr', 'ItemsPerMessage', '2', now()),
      ('CP-1', 'devicedatactrlr', 'itemspermessage', 'setvariables', 'Actual', 'DeviceDataCtrlr', 'ItemsPerMessage', '1', now())`)
  const ask = (name: string) => ({ component: { name: 'C' }, variable: { name } })
  const told = (name: string) => ({ ...ask(name), attributeStatus: 'Accepted', attributeValue: name })
  const { id, records } = await world.send({
    action: 'GetVariables',
    payload: { getVariableData: ['a', 'b', 'c'].map(ask) },
  })
  await world.apply(records)
  expect(world.dispatched).toHaveLength(1)

  await world.apply([world.outcome(id, { outcome: 'result', payload: { getVariableResult: [told('a'), told('b')] } })])
  expect(world.dispatched.map(({ callIndex, payload }) => ({ callIndex, payload }))).toEqual([
    { callIndex: 0, payload: { getVariableData: [ask('a'), ask('b')] } },
    { callIndex: 1, payload: { getVariableData: [ask('c')] } },
  ])
  await world.apply([world.outcome(id, { outcome: 'result', payload: { getVariableResult: [told('c')] } }, 1)])
  expect(await world.command(id)).toMatchObject({
    status: 'accepted',
    response: { getVariableResult: [told('a'), told('b'), told('c')] },
  })
})

test('a report stays open until the station has sent it', async () => {
  const { id, records } = await world.send({ action: 'GetBaseReport', payload: { reportBase: 'FullInventory' } })
  await world.apply(records)
  await world.apply([world.outcome(id, accepted)])
  expect(await world.command(id)).toMatchObject({ status: 'accepted', follow_up: 'open' })
  expect(await world.jobs()).toEqual([{ kind: 'follow-up', key: id, due_at: later(600) }])

  await world.apply([world.followUp(99), world.followUp(1)])
  expect(await world.command(id)).toMatchObject({ status: 'accepted', follow_up: 'complete' })
  expect(await world.jobs()).toEqual([])
  expect(world.results().map(({ followUp }) => followUp)).toEqual(['open', 'complete'])
})

test('a report that does not come makes the command incomplete', async () => {
  const { id, records } = await world.send({ action: 'GetBaseReport', payload: { reportBase: 'FullInventory' } })
  await world.apply(records)
  await world.apply([world.outcome(id, accepted)])
  world.now = later(600)
  await world.apply([world.due('follow-up', id)])
  expect(await world.command(id)).toMatchObject({ status: 'accepted', follow_up: 'incomplete' })
})

test.each([
  ['complete', 'complete'],
  ['failed', 'failed'],
  ['incomplete', 'incomplete'],
  ['made-up', 'open'],
])('a transfer that came to %s leaves its command %s', async (said, followUp) => {
  const { id, records } = await world.send({
    protocol: 'ocpp1.6',
    action: 'UpdateFirmware',
    payload: { location: 'https://files.example/fw.bin', retrieveDate: '2026-03-01T10:00:00Z' },
  })
  await world.apply(records)
  await world.apply([world.outcome(id, { outcome: 'result', payload: {} })])
  expect(await world.command(id)).toMatchObject({ status: 'accepted', follow_up: 'open' })

  await world.apply([world.transfer(id, said)])
  expect(await world.command(id)).toMatchObject({ status: 'accepted', follow_up: followUp })
})

test('a transfer that succeeded before its command was answered leaves it complete, and nothing undoes it', async () => {
  const { id, records } = await world.send({
    protocol: 'ocpp1.6',
    action: 'GetDiagnostics',
    payload: { location: 'ftp://a/b' },
  })
  await world.apply(records)
  await world.apply([
    world.transfer(id, 'complete'),
    world.outcome(id, { outcome: 'result', payload: { fileName: 'x' } }),
  ])
  await world.apply([world.transfer(id, 'failed')])

  expect(await world.command(id)).toMatchObject({ status: 'accepted', follow_up: 'complete' })
})

test('who keeps the books hears of a call before the station does; a call without books waits for nobody', async () => {
  let sent = () => {}
  world.flush = () => new Promise((resolve) => (sent = resolve))
  const reserve = { connectorId: 1, expiryDate: '2026-03-01T12:00:00Z', idTag: 'A', reservationId: 7 }
  const booked = await world.send({ protocol: 'ocpp1.6', action: 'ReserveNow', payload: reserve })
  const bookless = await world.send()

  await world.apply(bookless.records)
  expect(world.dispatched).toHaveLength(1)
  const applied = world.apply(booked.records)
  await vi.waitFor(async () => expect(await world.command(booked.id)).toMatchObject({ status: 'dispatched' }))
  expect(world.dispatched).toHaveLength(1)
  sent()
  await applied
  expect(world.dispatched).toMatchObject([{ commandId: bookless.id }, { commandId: booked.id }])
})

test('a call of which nobody can be told expires unsent', async () => {
  world.flush = () => new Promise(() => {})
  const reserve = { connectorId: 1, expiryDate: '2026-03-01T12:00:00Z', idTag: 'A', reservationId: 7 }
  const { records } = await world.send({
    protocol: 'ocpp1.6',
    action: 'ReserveNow',
    payload: reserve,
    expiresAt: later(0.1),
  })
  let reads = 0
  // Time passes while the log is away.
  world.setClock(() => (reads++ < 2 ? now : later(1)))

  await world.apply(records)

  expect(world.dispatched).toEqual([])
  expect(world.takeAppended().map(({ value }) => JSON.parse(String(value)))).toMatchObject([{ outcome: 'expired' }])
})

test('what a dead gateway held is unknown; what the station was sent since it came back is not', async () => {
  const before = await world.send()
  await world.apply(before.records)
  await query(`INSERT INTO station_state (station_id, online, epoch, protocol, connected_at)
    VALUES ('CP-1', true, 900, 'ocpp2.0.1', '${later(5).toISOString()}')`)
  world.now = later(6)
  const since = await world.send()
  await world.apply(since.records)

  await world.apply([world.gatewayLost(800)])
  expect(await world.command(before.id)).toMatchObject({ status: 'unknown', error: { code: 'GatewayLost' } })
  expect(await world.command(since.id)).toMatchObject({ status: 'dispatched' })
  await world.apply([world.gatewayLost(900)])
  expect(await world.command(since.id)).toMatchObject({ status: 'unknown' })
})

test('a command whose record never arrives gets its verdict all the same', async () => {
  const { id } = await world.send()
  expect(await world.jobs()).toEqual([{ kind: 'verdict', key: id, due_at: later(45) }])
  world.now = later(45)
  await world.apply([world.due('verdict', id)])
  await world.apply(world.takeRequested())
  expect(await world.command(id)).toMatchObject({ status: 'expired' })
  expect(await world.jobs()).toEqual([])
})

test('a request that comes after its command expired sends nothing and leaves no job', async () => {
  const { id, records } = await world.send()
  world.now = later(46)
  await world.apply(records)
  await world.apply(world.takeAppended())
  expect(await world.command(id)).toMatchObject({ status: 'expired' })
  expect(world.dispatched).toEqual([])
  expect(await world.jobs()).toEqual([])
})

test('what a connection held that was taken over is unknown within seconds, unless its gateway still speaks', async () => {
  const silent = await world.send()
  const answered = await world.send()
  await world.apply([...silent.records, ...answered.records])
  world.now = later(5)
  await world.apply([world.superseded()])
  const since = await world.send()
  await world.apply([...since.records, world.outcome(answered.id, accepted)])

  const jobs = (await world.jobs()).filter(({ kind }) => kind === 'superseded')
  expect(jobs.map(({ key, due_at }) => [key, due_at])).toEqual([
    [`${silent.id}/0`, later(8)],
    [`${answered.id}/0`, later(8)],
  ])
  world.now = later(8)
  await world.apply(jobs.map(({ key }) => world.due('superseded', String(key))))

  expect(await world.command(silent.id)).toMatchObject({ status: 'unknown', error: { code: 'ConnectionLost' } })
  expect(await world.command(answered.id)).toMatchObject({ status: 'accepted', late_response: null })
  expect(await world.command(since.id)).toMatchObject({ status: 'dispatched' })
  expect((await world.jobs()).map(({ kind, key }) => [kind, key])).toEqual([['verdict', since.id]])
})

const password = '00112233445566778899aabbccddeeff00112233'
const secrets = async () => {
  const rows = await query('SELECT slot, hash FROM station_secret ORDER BY slot')
  return Object.fromEntries(rows.map(({ slot, hash }) => [slot, hash]))
}

test.each([
  ['Accepted', { current: vault.hashPassword(password) }],
  ['Rejected', { current: 'old' }],
  ['RebootRequired', { current: 'old', pending: vault.hashPassword(password) }],
])('a new password answered with %s', async (status, expected) => {
  await query("INSERT INTO station_secret (station_id, slot, hash) VALUES ('CP-1', 'current', 'old')")
  const { id, records } = await world.send({
    protocol: 'ocpp1.6',
    action: 'ChangeConfiguration',
    payload: { key: 'AuthorizationKey', value: password },
  })
  await world.apply(records)
  expect(await secrets()).toEqual({ current: 'old', pending: vault.hashPassword(password) })
  await world.apply([world.outcome(id, { outcome: 'result', payload: { status } })])
  expect(await secrets()).toEqual(expected)
  const sent = world.sent.map(({ value }) => String(value))
  expect(inspect([await world.command(id), sent, world.dispatched], { depth: 9 })).not.toContain(password)
})

test('a password that the station took late is current as well', async () => {
  const { id, records } = await world.send({
    protocol: 'ocpp1.6',
    action: 'ChangeConfiguration',
    payload: { key: 'AuthorizationKey', value: password },
  })
  await world.apply(records)
  await world.apply([world.outcome(id, { outcome: 'lost' })])
  expect(await secrets()).toEqual({ pending: vault.hashPassword(password) })
  await world.apply([world.outcome(id, { ...accepted, late: true })])
  expect(await secrets()).toEqual({ current: vault.hashPassword(password) })
})

test.each([
  ['it was proposed', later(120), { current: 'new' }],
  ['another was proposed since', later(-120), { current: 'old', pending: 'new' }],
])('a login with the pending password, after %s', async (_, usedAt, expected) => {
  await query(`INSERT INTO station_secret (station_id, slot, hash, created_at)
    VALUES ('CP-1', 'current', 'old', '2020-01-01'), ('CP-1', 'pending', 'new', '${now.toISOString()}')`)
  world.now = usedAt
  await world.apply([world.passwordUsed()])
  expect(await secrets()).toEqual(expected)
})

/** A change sent with this password, and what the station made of it. */
async function changePassword(value: string, status?: string) {
  const payload = { key: 'AuthorizationKey', value }
  const { id, records } = await world.send({ protocol: 'ocpp1.6', action: 'ChangeConfiguration', payload })
  const before = world.dispatched.length
  await world.apply(records)
  const wasSent = world.dispatched.length > before
  if (wasSent && status) await world.apply([world.outcome(id, { outcome: 'result', payload: { status } })])
  return { id, wasSent, command: await world.command(id) }
}

test('while a change of the password is undecided no other is sent: the station may have taken it', async () => {
  await query("INSERT INTO station_secret (station_id, slot, hash) VALUES ('CP-1', 'current', 'old')")
  const first = await changePassword(password)
  await world.apply([world.outcome(first.id, { outcome: 'timeout' })])
  const open = { current: 'old', pending: vault.hashPassword(password) }

  const second = await changePassword('ff'.repeat(20))

  expect(second).toMatchObject({ wasSent: false, command: { status: 'error', error: { code: 'PasswordChangeOpen' } } })
  expect(await secrets()).toEqual(open)
  // The same again settles it.
  expect(await changePassword(password.toUpperCase(), 'Accepted')).toMatchObject({ wasSent: true })
  expect(await secrets()).toEqual({ current: vault.hashPassword(password) })
  expect(await changePassword('ff'.repeat(20), 'Accepted')).toMatchObject({ wasSent: true })
})

test.each(['Rejected', 'expired'])(
  'while one is undecided, the same one again does not take it back: %s',
  async (word) => {
    await query("INSERT INTO station_secret (station_id, slot, hash) VALUES ('CP-1', 'current', 'old')")
    const [first, second] = [await changePassword(password), await changePassword(password)]
    const taken = { current: 'old', pending: vault.hashPassword(password) }
    await world.apply([world.outcome(first.id, { outcome: 'lost' })])

    const outcome = word === 'expired' ? { outcome: word } : { outcome: 'result', payload: { status: word } }
    await world.apply([world.outcome(second.id, outcome)])
    expect(await secrets()).toEqual(taken)

    // Nor does the first, once the second may have been taken.
    await world.apply([world.outcome(first.id, { outcome: 'error', late: true })])
    expect(await secrets()).toEqual(taken)
  },
)

test('of two changes in one batch only the first is sent', async () => {
  const change = (value: string) =>
    world.send({
      protocol: 'ocpp1.6',
      action: 'ChangeConfiguration',
      payload: { key: 'AuthorizationKey', value },
    })
  const [first, second] = [await change(password), await change('ff'.repeat(20))]

  await world.apply([...first.records, ...second.records])

  expect(world.dispatched.map(({ commandId }) => commandId)).toEqual([first.id])
  expect(await world.command(second.id)).toMatchObject({ status: 'error' })
})

test.each(['Rejected', 'Accepted'])('after a change that was answered %s another one is sent', async (status) => {
  await changePassword(password, status)
  expect(await changePassword('ff'.repeat(20))).toMatchObject({ wasSent: true })
})

test('a login with the pending password opens the way for another change, in one batch as well', async () => {
  await query(`INSERT INTO station_secret (station_id, slot, hash, created_at)
               VALUES ('CP-1', 'pending', 'taken', '2020-01-01')`)
  const payload = { key: 'AuthorizationKey', value: password }
  const { records } = await world.send({ protocol: 'ocpp1.6', action: 'ChangeConfiguration', payload })

  await world.apply([world.passwordUsed(), ...records])

  expect(world.dispatched).toHaveLength(1)
  expect(await secrets()).toEqual({ current: 'taken', pending: vault.hashPassword(password) })
})

test('a login with a pending password that has become current since changes nothing', async () => {
  await query("INSERT INTO station_secret (station_id, slot, hash) VALUES ('CP-1', 'current', 'new')")
  await world.apply([world.passwordUsed(), world.passwordUsed()])
  expect(await secrets()).toEqual({ current: 'new' })
})
