import { newId } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../testing.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id: 'CS-1' } })
  const { prisma } = api.database
  await prisma.stationState.create({ data: { stationId: 'CS-1', protocol: 'ocpp1.6' } })
  await prisma.evse.createMany({ data: [0, 1, 2].map((number) => ({ id: newId(), stationId: 'CS-1', number })) })
  const at = new Date(Date.now() - 600_000)
  await prisma.chargingTransaction.create({
    data: {
      ...{
        id: running,
        stationId: 'CS-1',
        protocol: 'ocpp1.6',
        naturalKey: 'running',
        ocppId: '4711',
        status: 'active',
      },
      ...{ evseNumber: 1, connectorNumber: 1, startedAt: at, createdAt: at, updatedAt: at },
    },
  })
  await prisma.transactionAlias.create({ data: { stationId: 'CS-1', ocppId: '4711', transactionId: running } })
})
beforeEach(async () => {
  await api.database.prisma.chargingProfile.deleteMany()
})
afterAll(() => api.stop())

const running = newId()

type Profile = Parameters<TestApi['database']['prisma']['chargingProfile']['create']>[0]['data']

/** 16 A for every transaction on connector 1, with the station, unless told otherwise. */
async function keep(profile: object = {}, row: Partial<Profile> = {}, connectorId: number | null = 1): Promise<string> {
  const carried = {
    ...{ chargingProfileId: 1, stackLevel: 0, chargingProfilePurpose: 'TxDefaultProfile' },
    chargingProfileKind: 'Relative',
    chargingSchedule: { chargingRateUnit: 'A', chargingSchedulePeriod: [{ startPeriod: 0, limit: 16 }] },
    ...profile,
  }
  const isRemote = row.action === 'RemoteStartTransaction'
  const commandId = newId()
  await api.database.prisma.chargingProfile.create({
    data: {
      ...{ commandId, stationId: 'CS-1', action: 'SetChargingProfile', answer: 'accepted', status: 'active' },
      ...{ requestedBy: 'key-1', requestedAt: new Date(), answeredAt: new Date() },
      sent: {
        ...(connectorId !== null && { connectorId }),
        [isRemote ? 'chargingProfile' : 'csChargingProfiles']: carried,
      },
      ...row,
    } as Profile,
  })
  return commandId
}

const limited = (...periods: [startPeriod: number, limit: number][]) => ({
  chargingSchedule: {
    chargingRateUnit: 'A',
    chargingSchedulePeriod: periods.map(([startPeriod, limit]) => ({ startPeriod, limit })),
  },
})

async function get(path: string, status = 200) {
  const response = await api.request('viewer', { url: `/v1/stations/CS-1/${path}` })
  expect(response.statusCode).toBe(status)
  return response.json()
}

test('profiles are listed as they were sent and where they stand, newest first', async () => {
  const first = await keep(
    {},
    { requestedAt: new Date('2026-03-01T10:00:00Z'), status: 'replaced', settledAt: new Date('2026-03-01T11:00:00Z') },
  )
  const second = await keep(
    { chargingProfileId: 2, chargingProfilePurpose: 'TxProfile' },
    { action: 'RemoteStartTransaction', transactionId: running },
    null,
  )

  const page = await get('charging-profiles?limit=1')
  expect(page.items).toEqual([
    {
      commandId: second,
      action: 'RemoteStartTransaction',
      state: 'active',
      connector: null,
      profileId: 2,
      purpose: 'TxProfile',
      stackLevel: 0,
      transactionId: running,
      profile: expect.objectContaining({ chargingProfileId: 2 }),
      requestedBy: 'key-1',
      requestedAt: expect.any(String),
      answeredAt: expect.any(String),
      settledAt: null,
    },
  ])
  const next = await get(`charging-profiles?limit=1&cursor=${page.nextCursor}`)
  expect(next).toMatchObject({ items: [{ commandId: first, state: 'replaced' }], nextCursor: null })
  expect((await get('charging-profiles?state=active')).items).toHaveLength(1)
})

test('the schedule of a connector goes by the profile of its transaction, which began a while ago', async () => {
  await keep()
  await keep(
    { chargingProfilePurpose: 'TxProfile', ...limited([0, 6], [900, 8]) },
    { action: 'RemoteStartTransaction', transactionId: running },
    null,
  )

  const ours = await get('composite-schedule?connector=1&durationSeconds=3600')
  const [now, later] = ours.periods

  expect(ours).toMatchObject({
    connector: 1,
    durationSeconds: 3_600,
    unit: 'A',
    transactionId: running,
    station: null,
  })
  expect([now.limit, later.limit]).toEqual([6, 8])
  expect(later.start).toBeGreaterThan(200)
  expect(later.start).toBeLessThanOrEqual(300)
  expect(await get('composite-schedule?connector=2')).toMatchObject({
    periods: [{ start: 0, limit: null, phases: null }],
  })
})

test('the station may take what its connectors may, and no more than its own limit; in watts if asked', async () => {
  await keep({}, {}, 0)
  await keep({ chargingProfilePurpose: 'ChargePointMaxProfile', ...limited([0, 40]) }, {}, 0)

  const station = async (unit: string) => (await get(`composite-schedule?connector=0${unit}`)).periods
  expect(await station('')).toEqual([{ start: 0, limit: 32, phases: 3 }])
  expect(await station('&unit=W')).toEqual([{ start: 0, limit: 22_080, phases: 3 }])
})

test('what the station has not, or has no more, does not count', async () => {
  for (const status of ['requested', 'rejected', 'cleared', 'pending']) await keep({}, { status })
  await keep({ validTo: '2020-01-01T00:00:00Z' })

  expect((await get('composite-schedule?connector=1')).periods).toEqual([{ start: 0, limit: null, phases: null }])
})

test("TC_066: the station's own last answer stands beside ours", async () => {
  const sent = { connectorId: 1, duration: 300, chargingRateUnit: 'A' }
  const response = { status: 'Accepted', connectorId: 1, chargingSchedule: limited([0, 10]).chargingSchedule }
  const answeredAt = new Date('2026-03-01T10:00:00Z')
  await api.database.prisma.reportedSchedule.create({
    data: { stationId: 'CS-1', connector: 1, commandId: newId(), sent, response, answeredAt },
  })

  expect((await get('composite-schedule?connector=1')).station).toEqual({
    ...response,
    answeredAt: '2026-03-01T10:00:00.000Z',
    asked: sent,
  })
})

test('what cannot be asked is refused', async () => {
  await get('composite-schedule', 400)
  await get('composite-schedule?connector=1&durationSeconds=0', 400)
  await get('composite-schedule?connector=1&unit=V', 400)
  const none = await api.request('viewer', { url: '/v1/stations/CS-none/composite-schedule?connector=1' })
  expect(none.statusCode).toBe(404)
})
