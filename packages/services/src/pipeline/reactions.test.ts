import { stationSwitches } from '@busbar/ocpp'
import { expect, test } from 'vitest'
import { reactions } from './reactions.js'

test('an operator can set the switch of every reaction', () => {
  const names = Object.values(reactions).flatMap((reaction) => reaction.switch ?? [])

  expect(names.filter((name) => !Object.hasOwn(stationSwitches, name))).toEqual([])
})
