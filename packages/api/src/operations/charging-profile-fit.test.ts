import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type ChargingApi, future, startChargingApi, txDefault, txProfile } from './testing-charging.js'

let api: ChargingApi
beforeAll(async () => {
  api = await startChargingApi()
})
beforeEach(() => api.forget())
afterAll(() => api.stop())

const periods = (count: number) => Array.from({ length: count }, (_, start) => ({ start, limit: 6 }))

test.each([
  ['chargingProfileStackLevelZero', { ...txDefault, stackLevel: 3 }, { stackLevel: 0 }],
  ['chargingProfileRelativeOnly', txDefault, { chargingProfileKind: 'Relative', validFrom: expect.any(String) }],
  [
    'chargingProfileAbsoluteOnly',
    txProfile,
    { chargingProfileKind: 'Absolute', validFrom: '2026-03-01T10:00:00.000Z' },
  ],
  [
    'chargingProfileWattsOnly',
    {
      ...txDefault,
      minChargingRate: 6,
      periods: [
        { start: 0, limit: 16.09 },
        { start: 9, limit: 16, phases: 1 },
      ],
    },
    {
      chargingSchedule: {
        startSchedule: expect.any(String),
        chargingRateUnit: 'W',
        minChargingRate: 4_140,
        chargingSchedulePeriod: [
          { startPeriod: 0, limit: 11_102.1 },
          { startPeriod: 9, limit: 3_680, numberPhases: 1 },
        ],
      },
    },
  ],
])(
  '%s: the profile is sent in what the station takes, the operator is told, and it counts',
  async (name, wish, profile) => {
    await api.switchOn(name)
    const before = await api.quirks()

    const built = await api.setProfile(1, wish)

    expect(built.profile).toMatchObject(profile)
    expect(built.warnings).toHaveLength(1)
    expect(await api.quirks()).toBe(before + 1)
  },
)

test('a bounded limit without a start keeps its bounds as validity', async () => {
  await api.switchOn('chargingProfileRelativeOnly')

  const { profile } = await api.setProfile(1, { ...txDefault, startAt: future, durationSeconds: 60 })

  expect(profile).toMatchObject({ validFrom: '2999-01-01T00:00:00.000Z', validTo: '2999-01-01T00:01:00.000Z' })
  expect(profile).not.toHaveProperty('chargingSchedule.duration')
  expect(profile).not.toHaveProperty('chargingSchedule.startSchedule')
})

test.each([
  ['chargingProfileRelativeOnly', { ...txDefault, periods: periods(2) }],
  ['chargingProfileRelativeOnly', { ...txDefault, kind: 'Recurring', recurrency: 'Daily', startAt: future }],
  ['chargingProfileAbsoluteOnly', { ...txDefault, kind: 'Relative', periods: periods(2) }],
])('%s: what has no equal there is refused', async (name, profile) => {
  await api.switchOn(name)

  const response = await api.post('charging-profiles', { connector: 1, profile })

  expect(response.statusCode).toBe(422)
  expect(response.json().errors).toEqual([{ pointer: '/profile/kind', detail: expect.any(String) }])
})

test('chargingProfileNotInRemoteStart: a remote start goes out without its profile', async () => {
  const { transaction: _, ...profile } = txProfile
  const start = { token: 'DRIVER', connector: 1, chargingProfile: profile }
  expect(await api.sent(await api.post('remote-start', start))).toHaveProperty('chargingProfile.stackLevel', 0)
  await api.switchOn('chargingProfileNotInRemoteStart')

  const response = await api.post('remote-start', start)

  expect(await api.sent(response)).toEqual({ idTag: 'DRIVER', connectorId: 1 })
  expect(response.json().warnings).toContainEqual(expect.stringContaining('without the profile'))
})

test('chargingProfileConnectorZero: a profile of a connector is set at the station', async () => {
  await api.switchOn('chargingProfileConnectorZero')

  expect(await api.setProfile(1, txProfile)).toMatchObject({ connectorId: 0, warnings: [expect.any(String)] })
  expect(await api.setProfile(0, txDefault)).toMatchObject({ connectorId: 0, warnings: [] })
})
