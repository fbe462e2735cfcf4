import { UnavailableError } from '@busbar/store'
import { expect, test, vi } from 'vitest'
import { later, now } from './testing.js'
import { commandsWorld } from './testing-world.js'

const world = commandsWorld()

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
  expect(await world.command(id)).toMatchObject({ status: 'undeliverable', error: { code }, dispatched_at: null })
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
  expect(await world.command(id)).toMatchObject({ status: 'expired', dispatched_at: null })
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
