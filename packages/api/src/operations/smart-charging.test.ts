import { validate } from '@busbar/ocpp'
import { newId } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  for (const id of ['CS-1', 'CS-2']) {
    await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id } })
    await api.database.prisma.stationState.create({ data: { stationId: id, protocol: 'ocpp1.6' } })
  }
  await api.database.prisma.chargingTransaction.createMany({
    data: [
      transactionRow(running, { stationId: 'CS-1', ocppId: '4711' }),
      transactionRow(over, {
        stationId: 'CS-1',
        ocppId: '4712',
        endedAt: new Date('2026-03-01T11:00:00Z'),
        status: 'ended',
      }),
      transactionRow(elsewhere, { stationId: 'CS-2', ocppId: '4713' }),
    ],
  })
  await api.database.prisma.transactionAlias.createMany({
    data: [
      { stationId: 'CS-1', ocppId: '4711', transactionId: running },
      { stationId: 'CS-1', ocppId: '4712', transactionId: over },
      { stationId: 'CS-2', ocppId: '4713', transactionId: elsewhere },
    ],
  })
})
beforeEach(async () => {
  await api.database.prisma.variable.deleteMany()
  await api.database.prisma.chargingProfile.deleteMany()
  await api.database.prisma.station.updateMany({ data: { switches: {} } })
})
afterAll(() => api.stop())

const running = '00000000-0000-7000-8000-000000000001'
const over = '00000000-0000-7000-8000-000000000002'
const elsewhere = '00000000-0000-7000-8000-000000000003'

function transactionRow(id: string, rest: { stationId: string; ocppId: string; endedAt?: Date; status?: string }) {
  const at = new Date('2026-03-01T10:00:00Z')
  const row = { id, naturalKey: id, protocol: 'ocpp1.6', evseNumber: 1, connectorNumber: 1, startedAt: at }
  return { ...row, status: 'active', createdAt: at, updatedAt: at, ...rest }
}

const post = (path: string, payload: object) =>
  api.request('operator', { method: 'POST', url: `/v1/stations/CS-1/${path}`, payload })

/** What went to the station, checked against the schema of the standard. */
async function sent(response: { json(): { id: string } }): Promise<Record<string, unknown>> {
  const { json } = await api.request('viewer', { url: `/v1/commands/${response.json().id}` })
  const { action, payload } = json()
  // The commands service draws the id that is left out.
  const name = action === 'RemoteStartTransaction' ? 'chargingProfile' : 'csChargingProfiles'
  const whole = payload[name] ? { ...payload, [name]: { chargingProfileId: 1, ...payload[name] } } : payload
  expect(validate('ocpp1.6', action, 'request', whole, 'outbound')).toEqual([])
  return payload
}

async function setProfile(connector: number, profile: object) {
  const response = await post('charging-profiles', { connector, profile })
  expect(response.json()).toMatchObject({ action: 'SetChargingProfile' })
  const { connectorId, csChargingProfiles } = await sent(response)
  return { connectorId, profile: csChargingProfiles, warnings: response.json().warnings }
}

async function learn(key: string, value: string) {
  await api.database.prisma.variable.create({
    data: {
      ...{ stationId: 'CS-1', component: '', componentKey: '', variable: key, variableKey: key.toLowerCase(), value },
      ...{ attributeType: 'Actual', updatedAt: new Date() },
    },
  })
}

async function install(
  ...profiles: { connectorId: number; id: number; level: number; validTo?: string; status?: string }[]
) {
  await api.database.prisma.chargingProfile.createMany({
    data: profiles.map(({ connectorId, id, level, validTo, status = 'active' }) => ({
      ...{ commandId: newId(), stationId: 'CS-1', action: 'SetChargingProfile', answer: 'accepted', status },
      ...{ requestedBy: 'key', requestedAt: new Date(), settledAt: status === 'active' ? null : new Date() },
      sent: {
        connectorId,
        csChargingProfiles: {
          ...{ chargingProfileId: id, stackLevel: level, chargingProfilePurpose: 'TxDefaultProfile' },
          ...(validTo && { validTo }),
        },
      },
    })),
  })
}

async function quirks(): Promise<number> {
  const counter = api.metrics.getSingleMetric('busbar_quirks_total')
  return ((await counter?.get())?.values ?? []).reduce((sum, { value }) => sum + value, 0)
}

const switchOn = (name: string) =>
  api.database.prisma.station.update({ where: { id: 'CS-1' }, data: { switches: { [name]: true } } })

const limit = { periods: [{ start: 0, limit: 6 }], unit: 'A' as const, stackLevel: 0 }
const txDefault = { ...limit, purpose: 'TxDefaultProfile', kind: 'Absolute' }
const txProfile = { ...limit, purpose: 'TxProfile', kind: 'Relative', transaction: running }
const future = '2999-01-01T00:00:00Z'

test('TC_056: an Absolute TxDefaultProfile names all of its times, and neither a transaction nor a recurrence', async () => {
  const { connectorId, profile } = await setProfile(1, {
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
  const { profile } = await setProfile(1, { ...txDefault, durationSeconds: 300 })

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
  const byUuid = await setProfile(1, txProfile)
  const { transaction: _, ...rest } = txProfile
  const byId = await setProfile(1, { ...rest, transactionId: 4711 })

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
  const max = await setProfile(0, { ...txDefault, purpose: 'ChargePointMaxProfile', profileId: 12 })
  const weekly = await setProfile(0, {
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
  const response = await post(path, body)

  expect(response.statusCode).toBe(202)
  expect(response.json()).toMatchObject({ action, warnings: [] })
  expect(await sent(response)).toEqual(payload)
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
  const response = await post('charging-profiles', { connector, profile })

  expect(response.statusCode).toBe(422)
  expect(response.json().errors).toEqual([{ pointer, detail: expect.any(String) }])
  expect(await api.database.prisma.command.count()).toBe(before)
})

test('UC16-SC-1: more profiles than MaxChargingProfilesInstalled are refused, a replacement is not', async () => {
  await learn('MaxChargingProfilesInstalled', '2')
  await install(
    { connectorId: 1, id: 1, level: 0 },
    { connectorId: 1, id: 2, level: 1 },
    { connectorId: 1, id: 3, level: 2, validTo: '2020-01-01T00:00:00Z' },
    { connectorId: 1, id: 4, level: 3, status: 'cleared' },
  )
  const wish = async (profile: object) => {
    const response = await post('charging-profiles', { connector: 1, profile: { ...txDefault, ...profile } })
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
  await learn(key, value)

  const refused = await post('charging-profiles', { connector: 1, profile: { ...txDefault, ...bad } })
  expect(refused.statusCode).toBe(422)
  expect(refused.json().errors).toEqual([{ pointer, detail: expect.any(String) }])
  expect((await post('charging-profiles', { connector: 1, profile: { ...txDefault, ...good } })).statusCode).toBe(202)
})

test.each([['Current, Power'], ['["Current","Power"]'], ['A,W'], ['whatever'], ['']])(
  'a station that writes %s takes both units',
  async (value) => {
    await learn('ChargingScheduleAllowedChargingRateUnit', value)

    for (const unit of ['A', 'W']) {
      expect((await post('charging-profiles', { connector: 1, profile: { ...txDefault, unit } })).statusCode).toBe(202)
    }
  },
)

test('a limit beyond any charger is refused: cut to what a message carries it would be none', async () => {
  const wished = { ...txDefault, periods: [{ start: 0, limit: 1e300 }] }

  expect((await post('charging-profiles', { connector: 1, profile: wished })).statusCode).toBe(400)
})

test('all faults are told at once, and the raw command stays free', async () => {
  const response = await post('charging-profiles', {
    connector: 1,
    profile: { ...txDefault, purpose: 'ChargePointMaxProfile', periods: [{ start: 5, limit: -1 }] },
  })
  expect(response.json().errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
    '/profile/purpose',
    '/profile/periods/0/start',
    '/profile/periods/0/limit',
  ])

  const raw = await post('commands', {
    action: 'SetChargingProfile',
    payload: { connectorId: 1, csChargingProfiles: {} },
  })
  expect(raw.statusCode).toBe(202)
})

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
    await switchOn(name)
    const before = await quirks()

    const built = await setProfile(1, wish)

    expect(built.profile).toMatchObject(profile)
    expect(built.warnings).toHaveLength(1)
    expect(await quirks()).toBe(before + 1)
  },
)

test('a bounded limit without a start keeps its bounds as validity', async () => {
  await switchOn('chargingProfileRelativeOnly')

  const { profile } = await setProfile(1, { ...txDefault, startAt: future, durationSeconds: 60 })

  expect(profile).toMatchObject({ validFrom: '2999-01-01T00:00:00.000Z', validTo: '2999-01-01T00:01:00.000Z' })
  expect(profile).not.toHaveProperty('chargingSchedule.duration')
  expect(profile).not.toHaveProperty('chargingSchedule.startSchedule')
})

test.each([
  ['chargingProfileRelativeOnly', { ...txDefault, periods: periods(2) }],
  ['chargingProfileRelativeOnly', { ...txDefault, kind: 'Recurring', recurrency: 'Daily', startAt: future }],
  ['chargingProfileAbsoluteOnly', { ...txDefault, kind: 'Relative', periods: periods(2) }],
])('%s: what has no equal there is refused', async (name, profile) => {
  await switchOn(name)

  const response = await post('charging-profiles', { connector: 1, profile })

  expect(response.statusCode).toBe(422)
  expect(response.json().errors).toEqual([{ pointer: '/profile/kind', detail: expect.any(String) }])
})

test('chargingProfileNotInRemoteStart: a remote start goes out without its profile', async () => {
  const { transaction: _, ...profile } = txProfile
  const start = { token: 'DRIVER', connector: 1, chargingProfile: profile }
  expect(await sent(await post('remote-start', start))).toHaveProperty('chargingProfile.stackLevel', 0)
  await switchOn('chargingProfileNotInRemoteStart')

  const response = await post('remote-start', start)

  expect(await sent(response)).toEqual({ idTag: 'DRIVER', connectorId: 1 })
  expect(response.json().warnings).toContainEqual(expect.stringContaining('without the profile'))
})

test.each([
  ['another purpose', { ...txDefault }, '/chargingProfile/purpose'],
  ['a transaction', txProfile, '/chargingProfile/transaction'],
  ['an id of one', { ...txProfile, transaction: undefined, transactionId: 4711 }, '/chargingProfile/transactionId'],
])('UC16-SC-1: a remote start with a profile of %s is refused before sending', async (_, chargingProfile, pointer) => {
  const response = await post('remote-start', { token: 'DRIVER', connector: 1, chargingProfile })

  expect(response.statusCode).toBe(422)
  expect(response.json().errors).toEqual([{ pointer, detail: expect.any(String) }])
})

test('chargingProfileConnectorZero: a profile of a connector is set at the station', async () => {
  await switchOn('chargingProfileConnectorZero')

  expect(await setProfile(1, txProfile)).toMatchObject({ connectorId: 0, warnings: [expect.any(String)] })
  expect(await setProfile(0, txDefault)).toMatchObject({ connectorId: 0, warnings: [] })
})
