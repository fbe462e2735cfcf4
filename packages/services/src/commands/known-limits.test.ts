import type { OutboxRow } from '@busbar/backbone'
import type { Payload, Protocol } from '@busbar/ocpp'
import { expect, test } from 'vitest'
import { logRecord } from '../pipeline/testing.js'
import { applyRecords } from '../pipeline/testing-batches.js'
import { createStationsService } from '../stations/service.js'
import { stationsDeps } from '../stations/testing.js'
import { commandsWorld } from './testing-world.js'

const world = commandsWorld()

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
    { database: world.database },
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

test('a command is split by what the station has reported, and its answers are merged', async () => {
  await world.query(`INSERT INTO variable (station_id, component_key, variable_key, variable_instance, attribute_type, component,
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
