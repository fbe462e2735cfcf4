import type { OutboxRow } from '@busbar/backbone'
import type { Payload, Protocol } from '@busbar/ocpp'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { logRecord } from '../pipeline/testing.js'
import { applyRecords } from '../pipeline/testing-batches.js'
import { createStationsService } from '../stations/service.js'
import { stationsDeps } from '../stations/testing.js'
import { type CommandsWorld, commandsWorld } from './testing-world.js'

let store: TestDatabase
let world: CommandsWorld

beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())
beforeEach(async () => {
  await store.database.commit([
    { text: 'TRUNCATE command, audit_entry, outbox, job, station_counter, variable', values: [] },
  ])
  world = commandsWorld(store.database)
})

/** Sends a command to its last answer, and lets the stations service take in what the answers told. */
async function ask(protocol: Protocol, action: string, payload: Payload, answer: (sent: Payload) => Payload) {
  const { id, records } = await world.send({ protocol, action, payload })
  await world.apply(records)
  const calls: Payload[] = []
  for (let call = world.dispatched.pop(); call; call = world.dispatched.pop()) {
    const sent = call.payload as Payload
    calls.push(sent)
    await world.apply([world.outcome(id, { outcome: 'result', payload: answer(sent) }, call.callIndex)])
  }
  await takeIn(world.sent.filter(({ topic }) => topic === world.topics.lane('stations')))
  world.sent.length = 0
  return { calls, command: await world.command(id) }
}

const takeIn = (rows: readonly OutboxRow[]) =>
  applyRecords(
    createStationsService(stationsDeps),
    rows.map(({ topic, key, value, headers }) => logRecord({ topic, key, value: Buffer.from(value), headers })),
    { database: store.database },
  )

const variable = (name: string, instance?: string) => ({
  component: { name: 'DeviceDataCtrlr' },
  variable: { name, ...(instance && { instance }) },
})

const readOut = ({ getVariableData }: Payload) => ({
  getVariableResult: (getVariableData as Payload[]).map((item) => ({
    ...item,
    attributeStatus: 'Accepted',
    attributeValue: '4',
  })),
})

test('a limit that the station told in an answer cuts the next list, and the answers are merged', async () => {
  const asked = [
    variable('ItemsPerMessage', 'GetReport'),
    variable('ItemsPerMessage', 'GetVariables'),
    variable('BytesPerMessage', 'GetReport'),
    variable('ValueSize'),
    variable('ReportingValueSize'),
  ]
  const first = await ask('ocpp2.0.1', 'GetVariables', { getVariableData: asked }, readOut)
  expect(first.calls).toHaveLength(1)

  const second = await ask('ocpp2.0.1', 'GetVariables', { getVariableData: asked }, readOut)
  expect(second.calls.map(({ getVariableData }) => (getVariableData as unknown[]).length)).toEqual([4, 1])
  expect(second.command).toMatchObject({ status: 'accepted' })
  const { getVariableResult } = second.command.response as { getVariableResult: Payload[] }
  expect(getVariableResult.map((result) => result.variable)).toEqual(asked.map((item) => item.variable))
})

test('1.6: GetConfigurationMaxKeys and SendLocalListMaxLength are known from the configuration', async () => {
  const key = ['HeartbeatInterval', 'MeterValueSampleInterval', 'ResetRetries']
  await ask('ocpp1.6', 'GetConfiguration', {}, () => ({
    configurationKey: [
      { key: 'GetConfigurationMaxKeys', readonly: true, value: '2' },
      { key: 'SendLocalListMaxLength', readonly: true, value: '1' },
    ],
  }))
  const { calls } = await ask('ocpp1.6', 'GetConfiguration', { key }, () => ({ unknownKey: [] }))
  expect(calls.map((call) => call.key)).toEqual([key.slice(0, 2), key.slice(2)])

  const list = [{ idTag: 'A' }, { idTag: 'B' }]
  const payload = { updateType: 'Full', localAuthorizationList: list }
  const sent = await ask('ocpp1.6', 'SendLocalList', payload, () => ({ status: 'Accepted' }))
  expect(sent.calls.map((call) => [call.updateType, call.localAuthorizationList])).toEqual([
    ['Full', list.slice(0, 1)],
    ['Differential', list.slice(1)],
  ])
})
