import { expect, test } from 'vitest'
import { findPreset, presets, suggestPreset } from './presets.js'
import { findSwitchFault } from './switches.js'

test('every preset has a name of its own and sets switches that exist', () => {
  expect(new Set(presets.map(({ name }) => name)).size).toBe(presets.length)
  for (const { switches } of presets) {
    for (const [name, value] of Object.entries(switches)) expect(findSwitchFault(name, value), name).toBeNull()
  }
})

test.each([
  ['ABB', 'Terra AC W22', 'abb-terra'],
  ['ABB', 'something else', undefined],
  ['Wall Box Chargers', 'Pulsar', 'wallbox'],
  ['KEBA AG', null, 'keba'],
  ['United Chargers', 'Grizzl-E Smart', 'grizzl-e'],
  ['Schneider Electric', 'MONOBLOCK EVlink', 'schneider-evlink'],
  ['Nobody', 'Nothing', undefined],
  [null, null, undefined],
])('vendor %j and model %j suggest %j', (vendor, model, name) => {
  expect(suggestPreset(vendor, model)?.name).toBe(name)
  if (name) expect(findPreset(name)).toBeDefined()
})

test('a switch has to exist and to be of its type', () => {
  expect(findSwitchFault('tolerateInvalid', true)).toBeNull()
  expect(findSwitchFault('callPauseMs', 500)).toBeNull()
  expect(findSwitchFault('callPauseMs', '500')).not.toBeNull()
  expect(findSwitchFault('maxPowerW', 22_000)).toBeNull()
  expect([0, -1, 1e300].map((value) => findSwitchFault('maxPowerW', value))).not.toContain(null)
  expect(findSwitchFault('tolerateinvalid', true)).not.toBeNull()
  expect(findSwitchFault('constructor', true)).not.toBeNull()
})
