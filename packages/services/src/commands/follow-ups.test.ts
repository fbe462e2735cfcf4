import { expect, test } from 'vitest'
import { later } from './testing.js'
import { accepted, commandsWorld } from './testing-world.js'

const world = commandsWorld()

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
