import { expect, test } from 'vitest'
import { vault } from '../commands/testing.js'
import { toKnownValues } from './known-values.js'

const evse = { id: 1, connectorId: 2 }

test('2.0.1: of variables that were read out, those the station has', () => {
  const variable = { name: 'ItemsPerMessage', instance: 'GetVariables' }
  const component = { name: 'DeviceDataCtrlr', evse }
  const getVariableResult = [
    { attributeStatus: 'Accepted', attributeValue: '4', component, variable },
    { attributeStatus: 'UnknownVariable', component, variable: { name: 'Nonsense' } },
  ]
  expect(toKnownValues('ocpp2.0.1', 'GetVariables', {}, { getVariableResult })).toEqual([
    { component, variable, attributeType: 'Actual', value: '4' },
  ])
})

test('2.0.1: of variables that were set, those the station accepted, in whatever order it answers', () => {
  const item = (name: string, attributeValue: string, attributeType?: string) => ({
    component: { name: 'Ctrlr' },
    variable: { name },
    attributeValue,
    ...(attributeType && { attributeType }),
  })
  const result = (name: string, attributeStatus: string, attributeType?: string) => ({
    component: { name: 'ctrlr' },
    variable: { name },
    attributeStatus,
    ...(attributeType && { attributeType }),
  })
  const sent = { setVariableData: [item('One', '1'), item('Two', '2'), item('One', '3', 'Target'), item('Four', '4')] }
  const response = {
    setVariableResult: [
      result('Two', 'Rejected'),
      result('ONE', 'Accepted', 'Target'),
      result('One', 'Accepted'),
      result('Four', 'RebootRequired'),
      result('Unasked', 'Accepted'),
    ],
  }
  const values = toKnownValues('ocpp2.0.1', 'SetVariables', sent, response)
  expect(values.map(({ variable, attributeType, value }) => [variable.name, attributeType, value])).toEqual([
    ['ONE', 'Target', '3'],
    ['One', 'Actual', '1'],
  ])
})

test('passwords are masked', () => {
  const names = { component: { name: 'SecurityCtrlr' }, variable: { name: 'BasicAuthPassword' } }
  const sent = { setVariableData: [{ ...names, attributeValue: vault.seal('hidden') }] }
  const response = { setVariableResult: [{ ...names, attributeStatus: 'Accepted' }] }
  expect(toKnownValues('ocpp2.0.1', 'SetVariables', sent, response)).toMatchObject([{ value: '***' }])
})
