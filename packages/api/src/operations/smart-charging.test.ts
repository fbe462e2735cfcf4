import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type ChargingApi,
  elsewhere,
  future,
  over,
  running,
  startChargingApi,
  txDefault,
  txProfile,
} from './testing-charging.js'

let api: ChargingApi
beforeAll(async () => {
  api = await startChargingApi()
})
beforeEach(() => api.forget())
afterAll(() => api.stop())

test('TC_056: an Absolute TxDefaultProfile names all of its times, and neither a transaction nor a recurrence', async () => {
  const { connectorId, profile } = await api.setProfile(1, {
    ...txDefault,
    startAt: '2026-03-01T10:00:00+02:00',
    durationSeconds: 86_400 * 20_000,
  })

  expect(connectorId).toBe(1)
  expect(profile).toEqual({
    stackLevel: 0,
    chargingProfilePurpose: 'TxDefaultProfile',
    chargingProfileKind: 'Absolute',
    validFrom: '2026-03-01T08:00:00.000Z',
    validTo: expect.stringMatching(/^2080-.*T08:00:00\.000Z$/),
    chargingSchedule: {
      duration: 86_400 * 20_000,
      startSchedule: '2026-03-01T08:00:00.000Z',
      chargingRateUnit: 'A',
      chargingSchedulePeriod: [{ startPeriod: 0, limit: 6 }],
    },
  })
})

test('an Absolute profile without a start begins now', async () => {
  const before = Date.now()
  const { profile } = await api.setProfile(1, { ...txDefault, durationSeconds: 300 })

  const { validFrom, validTo, chargingSchedule } = profile as {
    validFrom: string
    validTo: string
    chargingSchedule: { startSchedule: string }
  }
  expect(chargingSchedule.startSchedule).toBe(validFrom)
  expect(Date.parse(validFrom)).toBeGreaterThanOrEqual(before)
  expect(Date.parse(validTo) - Date.parse(validFrom)).toBe(300_000)
})

test('TC_057: a TxProfile names its transaction as the station knows it; Relative has no start', async () => {
  const byUuid = await api.setProfile(1, txProfile)
  const { transaction: _, ...rest } = txProfile
  const byId = await api.setProfile(1, { ...rest, transactionId: 4711 })

  expect(byUuid.profile).toEqual({
    stackLevel: 0,
    chargingProfilePurpose: 'TxProfile',
    chargingProfileKind: 'Relative',
    transactionId: 4711,
    chargingSchedule: { chargingRateUnit: 'A', chargingSchedulePeriod: [{ startPeriod: 0, limit: 6 }] },
  })
  expect(byId.profile).toEqual(byUuid.profile)
})

test('UC16-SC-3: a limit for the station, and recurring defaults on connector 0, are sent as given', async () => {
  const max = await api.setProfile(0, { ...txDefault, purpose: 'ChargePointMaxProfile', profileId: 12 })
  const weekly = await api.setProfile(0, {
    ...txDefault,
    ...{ kind: 'Recurring', recurrency: 'Weekly', stackLevel: 3, startAt: '2026-03-02T00:00:00Z' },
    periods: [
      { start: 0, limit: 16, phases: 3 },
      { start: 3_600, limit: 0.19, phases: 1 },
    ],
    minChargingRate: 6.19,
  })

  expect(max.profile).toMatchObject({ chargingProfileId: 12, chargingProfilePurpose: 'ChargePointMaxProfile' })
  expect(weekly.connectorId).toBe(0)
  expect(weekly.profile).toEqual({
    stackLevel: 3,
    chargingProfilePurpose: 'TxDefaultProfile',
    chargingProfileKind: 'Recurring',
    recurrencyKind: 'Weekly',
    chargingSchedule: {
      startSchedule: '2026-03-02T00:00:00.000Z',
      chargingRateUnit: 'A',
      minChargingRate: 6.1,
      chargingSchedulePeriod: [
        { startPeriod: 0, limit: 16, numberPhases: 3 },
        { startPeriod: 3_600, limit: 0.1, numberPhases: 1 },
      ],
    },
  })
})

test.each([
  ['charging-profiles/clear', { profileId: 3 }, 'ClearChargingProfile', { id: 3 }],
  [
    'charging-profiles/clear',
    { connector: 1, purpose: 'TxDefaultProfile', stackLevel: 2 },
    'ClearChargingProfile',
    { connectorId: 1, chargingProfilePurpose: 'TxDefaultProfile', stackLevel: 2 },
  ],
  ['charging-profiles/clear', {}, 'ClearChargingProfile', {}],
  [
    'composite-schedule/read',
    { connector: 1, durationSeconds: 300, unit: 'W' },
    'GetCompositeSchedule',
    { connectorId: 1, duration: 300, chargingRateUnit: 'W' },
  ],
  [
    'composite-schedule/read',
    { connector: 0, durationSeconds: 60 },
    'GetCompositeSchedule',
    { connectorId: 0, duration: 60 },
  ],
])('TC_066, TC_067: %s %j becomes %s', async (path, body, action, payload) => {
  const response = await api.post(path, body)

  expect(response.statusCode).toBe(202)
  expect(response.json()).toMatchObject({ action, warnings: [] })
  expect(await api.sent(response)).toEqual(payload)
})

test.each([
  ['a station limit at a connector', 1, { ...txDefault, purpose: 'ChargePointMaxProfile' }, '/profile/purpose'],
  ['a TxProfile without a transaction', 1, { ...txProfile, transaction: undefined }, '/profile/transaction'],
  ['a TxProfile at the station', 0, txProfile, '/profile/purpose'],
  ['a TxProfile at another connector than its transaction', 2, txProfile, '/profile/transaction'],
  ['a TxProfile of a transaction that is over', 1, { ...txProfile, transaction: over }, '/profile/transaction'],
  ['T13: a transaction of another station', 1, { ...txProfile, transaction: elsewhere }, '/profile/transaction'],
  [
    'T13: an id of another station',
    1,
    { ...txProfile, transaction: undefined, transactionId: 4713 },
    '/profile/transactionId',
  ],
  ['a transaction named twice', 1, { ...txProfile, transactionId: 4711 }, '/profile/transactionId'],
  ['a default for one transaction', 1, { ...txDefault, transaction: running }, '/profile/transaction'],
  ['Recurring without a recurrence', 1, { ...txDefault, kind: 'Recurring', startAt: future }, '/profile/recurrency'],
  ['Recurring without a start', 1, { ...txDefault, kind: 'Recurring', recurrency: 'Daily' }, '/profile/startAt'],
  ['a recurrence of what does not recur', 1, { ...txDefault, recurrency: 'Daily' }, '/profile/recurrency'],
  [
    'a duration beyond its recurrence',
    1,
    { ...txDefault, kind: 'Recurring', recurrency: 'Daily', startAt: future, durationSeconds: 86_401 },
    '/profile/durationSeconds',
  ],
  ['a start of what starts with the transaction', 1, { ...txProfile, startAt: future }, '/profile/startAt'],
  ['a first period after 0', 1, { ...txDefault, periods: [{ start: 1, limit: 6 }] }, '/profile/periods/0/start'],
  [
    'periods that do not ascend',
    1,
    { ...txDefault, periods: [0, 60, 60].map((start) => ({ start, limit: 6 })) },
    '/profile/periods/2/start',
  ],
  ['a negative limit', 1, { ...txDefault, periods: [{ start: 0, limit: -0.1 }] }, '/profile/periods/0/limit'],
  [
    'a validity that ends before it begins',
    1,
    { ...txDefault, validFrom: future, validTo: future },
    '/profile/validTo',
  ],
  ['a validity that is over', 1, { ...txDefault, validTo: '2020-01-01T00:00:00Z' }, '/profile/validTo'],
])('UC16-SC-1: %s is refused before sending', async (_, connector, profile, pointer) => {
  const before = await api.database.prisma.command.count()
  const response = await api.post('charging-profiles', { connector, profile })

  expect(response.statusCode).toBe(422)
  expect(response.json().errors).toEqual([{ pointer, detail: expect.any(String) }])
  expect(await api.database.prisma.command.count()).toBe(before)
})

test('UC16-SC-1: more profiles than MaxChargingProfilesInstalled are refused, a replacement is not', async () => {
  await api.learn('MaxChargingProfilesInstalled', '2')
  await api.install(
    { connectorId: 1, id: 1, level: 0 },
    { connectorId: 1, id: 2, level: 1 },
    { connectorId: 1, id: 3, level: 2, validTo: '2020-01-01T00:00:00Z' },
    { connectorId: 1, id: 4, level: 3, status: 'cleared' },
  )
  const wish = async (profile: object) => {
    const response = await api.post('charging-profiles', { connector: 1, profile: { ...txDefault, ...profile } })
    return [response.statusCode, response.json().errors?.[0].pointer]
  }

  expect(await wish({ stackLevel: 7 })).toEqual([422, '/profile'])
  expect(await wish({ stackLevel: 1 })).toEqual([202, undefined])
  expect(await wish({ stackLevel: 7, profileId: 1 })).toEqual([202, undefined])
})

const periods = (count: number) => Array.from({ length: count }, (_, start) => ({ start, limit: 6 }))

test.each([
  ['ChargingScheduleMaxPeriods', '2', { periods: periods(3) }, '/profile/periods', { periods: periods(2) }],
  ['ChargeProfileMaxStackLevel', ' 4 ', { stackLevel: 5 }, '/profile/stackLevel', { stackLevel: 4 }],
  ['ChargingScheduleAllowedChargingRateUnit', 'Current', { unit: 'W' }, '/profile/unit', { unit: 'A' }],
  ['ChargingScheduleAllowedChargingRateUnit', '"Power"', { unit: 'A' }, '/profile/unit', { unit: 'W' }],
  ['ChargingScheduleAllowedChargingRateUnit', 'Ampere', { unit: 'W' }, '/profile/unit', { unit: 'A' }],
  ['ChargingScheduleAllowedChargingRateUnit', 'W', { unit: 'A' }, '/profile/unit', { unit: 'W' }],
])('UC16-SC-1: what %s %s rules out is refused before sending', async (key, value, bad, pointer, good) => {
  await api.learn(key, value)

  const refused = await api.post('charging-profiles', { connector: 1, profile: { ...txDefault, ...bad } })
  expect(refused.statusCode).toBe(422)
  expect(refused.json().errors).toEqual([{ pointer, detail: expect.any(String) }])
  expect((await api.post('charging-profiles', { connector: 1, profile: { ...txDefault, ...good } })).statusCode).toBe(
    202,
  )
})

test.each([['Current, Power'], ['["Current","Power"]'], ['A,W'], ['whatever'], ['']])(
  'a station that writes %s takes both units',
  async (value) => {
    await api.learn('ChargingScheduleAllowedChargingRateUnit', value)

    for (const unit of ['A', 'W']) {
      expect((await api.post('charging-profiles', { connector: 1, profile: { ...txDefault, unit } })).statusCode).toBe(
        202,
      )
    }
  },
)

test('a limit beyond any charger is refused: cut to what a message carries it would be none', async () => {
  const wished = { ...txDefault, periods: [{ start: 0, limit: 1e300 }] }

  expect((await api.post('charging-profiles', { connector: 1, profile: wished })).statusCode).toBe(400)
})

test('all faults are told at once, and the raw command stays free', async () => {
  const response = await api.post('charging-profiles', {
    connector: 1,
    profile: { ...txDefault, purpose: 'ChargePointMaxProfile', periods: [{ start: 5, limit: -1 }] },
  })
  expect(response.json().errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
    '/profile/purpose',
    '/profile/periods/0/start',
    '/profile/periods/0/limit',
  ])

  const raw = await api.post('commands', {
    action: 'SetChargingProfile',
    payload: { connectorId: 1, csChargingProfiles: {} },
  })
  expect(raw.statusCode).toBe(202)
})

test.each([
  ['another purpose', { ...txDefault }, '/chargingProfile/purpose'],
  ['a transaction', txProfile, '/chargingProfile/transaction'],
  ['an id of one', { ...txProfile, transaction: undefined, transactionId: 4711 }, '/chargingProfile/transactionId'],
])('UC16-SC-1: a remote start with a profile of %s is refused before sending', async (_, chargingProfile, pointer) => {
  const response = await api.post('remote-start', { token: 'DRIVER', connector: 1, chargingProfile })

  expect(response.statusCode).toBe(422)
  expect(response.json().errors).toEqual([{ pointer, detail: expect.any(String) }])
})
