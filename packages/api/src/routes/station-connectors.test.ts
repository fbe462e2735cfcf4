import { newId } from '@busbar/store'
import { expect, test } from 'vitest'
import { toEvses } from './station-connectors.js'

const now = new Date('2026-11-21T10:00:00Z')
const evse = (number: number, ...statuses: (string | null)[]) => ({
  id: newId(),
  stationId: 'CS-1',
  number,
  connectors: statuses.map((status, index) => ({
    id: newId(),
    evseId: 'e',
    number: number === 0 ? 0 : index + 1,
    status,
    errorCode: null,
    info: null,
    vendorId: null,
    vendorErrorCode: null,
    statusAt: null,
  })),
})
const wish = (evseNumber: number, connectorNumber: number, operative: boolean, outcome = 'accepted') => ({
  stationId: 'CS-1',
  evseNumber,
  connectorNumber,
  operative,
  outcome,
  commandId: newId(),
  requestedAt: now,
  answeredAt: null,
})
const desiredOf = (evses: ReturnType<typeof toEvses>, number: number) =>
  evses.find((each) => each.number === number)?.connectors[0]?.desired

test('what was asked for stands beside what is reported, and is in effect once they agree', () => {
  const charging = toEvses([evse(1, 'Charging'), evse(2, 'Available')], [wish(1, 1, false, 'scheduled')])
  expect(desiredOf(charging, 1)).toEqual({
    operative: false,
    outcome: 'scheduled',
    inEffect: false,
    requestedAt: now.toISOString(),
    answeredAt: null,
  })
  expect(desiredOf(charging, 2)).toBeNull()

  expect(desiredOf(toEvses([evse(1, 'Unavailable')], [wish(1, 1, false)]), 1)).toMatchObject({ inEffect: true })
  expect(desiredOf(toEvses([evse(1, 'Unavailable')], [wish(1, 1, true)]), 1)).toMatchObject({ inEffect: false })
  expect(desiredOf(toEvses([evse(1, 'Faulted')], [wish(1, 1, true)]), 1)).toMatchObject({ inEffect: true })
})

test('a station that says nothing of itself is as all its connectors are', () => {
  const whole = wish(0, 0, false)

  expect(desiredOf(toEvses([evse(1, 'Unavailable'), evse(2, 'Available')], [whole]), 0)).toMatchObject({
    inEffect: false,
  })
  expect(desiredOf(toEvses([evse(1, 'Unavailable'), evse(2, 'Unavailable')], [whole]), 0)).toMatchObject({
    inEffect: true,
  })
  expect(desiredOf(toEvses([evse(0, 'Available'), evse(1, 'Unavailable')], [whole]), 0)).toMatchObject({
    inEffect: false,
  })
  expect(desiredOf(toEvses([], [whole]), 0)).toMatchObject({ inEffect: false })
})
