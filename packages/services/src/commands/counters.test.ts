import { expect, test } from 'vitest'
import { commandsWorld } from './testing-world.js'

const world = commandsWorld()

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
