import { expect, test } from 'vitest'
import { later } from './testing.js'
import { accepted, commandsWorld } from './testing-world.js'

const world = commandsWorld()
const { query } = world

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
