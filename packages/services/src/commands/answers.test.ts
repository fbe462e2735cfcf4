import { expect, test } from 'vitest'
import { commandsWorld } from './testing-world.js'

const world = commandsWorld()

async function ask(action: string, sent: object, payload: unknown) {
  const { id, records } = await world.send({ protocol: 'ocpp1.6', action, payload: { ...sent } })
  await world.apply(records)
  await world.apply([world.outcome(id, { outcome: 'result', payload })])
  return { command: await world.command(id), quirks: world.decisions.flatMap(({ quirks = [] }) => quirks) }
}

test.each([
  ['configuration values as numbers (Scame)', 'GetConfiguration', {}, 'accepted', 'field-type'],
  ['a status in another letter case', 'Reset', { type: 'Soft' }, 'accepted', 'field-value'],
  ['a property nobody knows', 'ClearCache', {}, 'rejected', 'field-unknown'],
])('quirk 3b, %s: the answer counts as it was meant', async (_, action, sent, status, kind) => {
  const answers: Record<string, object> = {
    GetConfiguration: { configurationKey: [{ key: 'HeartbeatInterval', readonly: false, value: 60 }] },
    Reset: { status: 'ACCEPTED' },
    ClearCache: { status: 'Rejected', because: 'busy' },
  }
  const { command, quirks } = await ask(action, sent, answers[action])

  expect(command).toMatchObject({ status, error: null })
  expect(quirks).toEqual([kind])
})

test('what a number was read as is what the books are told', async () => {
  await ask('GetConfiguration', {}, { configurationKey: [{ key: 'HeartbeatInterval', readonly: false, value: 60 }] })
  const news = world.sent.map(({ value }) => JSON.parse(String(value))).filter(({ stage }) => stage === 'accepted')

  expect(news).toMatchObject([{ response: { configurationKey: [{ key: 'HeartbeatInterval', value: '60' }] } }])
})

test('quirk 3d, a status that no version has: the command failed, with the answer kept', async () => {
  const { command, quirks } = await ask('Reset', { type: 'Soft' }, { status: 'OK' })

  expect(command).toMatchObject({ status: 'error', response: { status: 'OK' } })
  expect(quirks).toEqual([])
})
