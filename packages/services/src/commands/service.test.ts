import { expect, test } from 'vitest'
import { later, now } from './testing.js'
import { accepted, commandsWorld } from './testing-world.js'

const world = commandsWorld()
const { query } = world

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
