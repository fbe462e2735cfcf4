import { expect, test } from 'vitest'
import { type CompositeRequest, connectorSchedule, stationSchedule } from './composite-schedule.js'
import type { ChargingProfile16, PlacedProfile } from './profile.js'

const from = new Date('2026-03-02T00:00:00Z')
const hour: CompositeRequest = { from, durationSeconds: 3_600, unit: 'A' }
const noTransaction = null

type Period = ChargingProfile16['chargingSchedule']['chargingSchedulePeriod'][number]

/** An unlimited one on connector 1 that began with the schedule, unless told otherwise. */
function placed(
  limits: readonly (readonly [startPeriod: number, limit: number, numberPhases?: number])[],
  {
    connectorId = 1,
    schedule = {},
    ...profile
  }: Partial<ChargingProfile16> & {
    connectorId?: number
    schedule?: Partial<ChargingProfile16['chargingSchedule']>
  } = {},
): PlacedProfile {
  const chargingSchedulePeriod = limits.map(
    ([startPeriod, limit, numberPhases]): Period => ({ startPeriod, limit, ...(numberPhases && { numberPhases }) }),
  )
  return {
    connectorId,
    profile: {
      ...{ chargingProfileId: 1, stackLevel: 0 },
      chargingProfilePurpose: 'TxDefaultProfile',
      chargingProfileKind: 'Absolute',
      ...profile,
      chargingSchedule: {
        startSchedule: from.toISOString(),
        chargingRateUnit: 'A',
        chargingSchedulePeriod,
        ...schedule,
      },
    },
  }
}

const max = { chargingProfilePurpose: 'ChargePointMaxProfile', connectorId: 0 } as const
const own = { chargingProfilePurpose: 'TxProfile', chargingProfileKind: 'Relative', transactionId: 7 } as const
const later = (seconds: number) => new Date(from.getTime() + seconds * 1_000).toISOString()

/** `second: limit` of each period, `-` for none. */
const brief = (periods: readonly { startPeriod: number; limit: number | null }[]) =>
  periods.map(({ startPeriod, limit }) => `${startPeriod}: ${limit ?? '-'}`)

const schedule = (profiles: PlacedProfile[], transaction = noTransaction as Parameters<typeof connectorSchedule>[2]) =>
  brief(connectorSchedule(1, profiles, transaction, hour))

test('without a profile nothing is limited', () => {
  expect(schedule([])).toEqual(['0: -'])
})

test('the least of the station limit and what the transaction is allowed', () => {
  expect(
    schedule([
      placed([
        [0, 16],
        [1_800, 6],
      ]),
      placed([[0, 10]], max),
    ]),
  ).toEqual(['0: 10', '1800: 6'])
})

test('a TxProfile counts for its transaction only, and what it leaves open falls to the default', () => {
  const profiles = [placed([[0, 16]]), placed([[0, 6]], { ...own, schedule: { duration: 600 } })]

  expect(schedule(profiles, { ocppIds: [7], startedAt: new Date(later(-60)) })).toEqual(['0: 6', '540: 16'])
  expect(schedule(profiles, { ocppIds: [8], startedAt: from })).toEqual(['0: 16'])
  expect(schedule(profiles)).toEqual(['0: 16'])
})

test('a higher level counts while it is valid and has something to say, the lower one fills its gaps', () => {
  const profiles = [
    placed([[0, 16]]),
    placed([[0, 8]], { stackLevel: 2, schedule: { startSchedule: later(600), duration: 600 } }),
    placed([[0, 4]], { stackLevel: 5, validFrom: later(900), validTo: later(1_000) }),
  ]
  expect(schedule(profiles)).toEqual(['0: 16', '600: 8', '900: 4', '1000: 8', '1200: 16'])
})

test('a default of the connector stands for that of connector 0 on its level, as long as it is valid', () => {
  const profiles = [
    placed([[0, 10]], { connectorId: 0 }),
    placed([[0, 32]], { connectorId: 0, stackLevel: 1, schedule: { startSchedule: later(3_000) } }),
    placed([[0, 16]], { validFrom: later(300), validTo: later(1_200) }),
    placed([[0, 1]], { connectorId: 2 }),
  ]
  expect(schedule(profiles)).toEqual(['0: -', '300: 16', '1200: 10', '3000: 32'])
})

test.each([
  ['Daily', 86_400],
  ['Weekly', 7 * 86_400],
] as const)(
  '%s: a schedule begins again, and what is left of the run before is not executed',
  (recurrencyKind, every) => {
    const start = later(1_000 - 3 * every)
    const profile = placed(
      [
        [0, 6],
        [every - 500, 9],
        [every + 10, 1],
      ],
      {
        ...{ chargingProfileKind: 'Recurring', recurrencyKind },
        schedule: { startSchedule: start, duration: 2 * every },
      },
    )
    expect(schedule([profile])).toEqual(['0: 6', '500: 9', '1000: 6'])
  },
)

test('a recurring schedule that is shorter than its recurrence leaves a gap, and none comes before its start', () => {
  const recurring = { chargingProfileKind: 'Recurring', recurrencyKind: 'Daily' } as const
  expect(schedule([placed([[0, 6]], { ...recurring, schedule: { startSchedule: later(60), duration: 60 } })])).toEqual([
    '0: -',
    '60: 6',
    '120: -',
  ])
})

test('periods after the duration are not executed', () => {
  expect(
    schedule([
      placed(
        [
          [0, 6],
          [700, 9],
        ],
        { schedule: { duration: 600 } },
      ),
    ]),
  ).toEqual(['0: 6', '600: -'])
})

test('a schedule without a start counts from the start of charging', () => {
  const { profile } = placed([
    [0, 6],
    [100, 9],
  ])
  const { startSchedule: _, ...rest } = profile.chargingSchedule
  const unstarted = { connectorId: 1, profile: { ...profile, chargingSchedule: rest } }

  expect(schedule([unstarted], { ocppIds: [7], startedAt: new Date(later(-40)) })).toEqual(['0: 6', '60: 9'])
  expect(schedule([unstarted])).toEqual(['0: 6', '100: 9'])
})

test('what holds at once holds on the fewest phases that are allowed, in either unit', () => {
  const profiles = [placed([[0, 16, 1]]), placed([[0, 10, 3]], max)]
  const inUnit = (unit: 'A' | 'W') => connectorSchedule(1, profiles, noTransaction, { ...hour, unit })

  expect(inUnit('A')).toEqual([{ startPeriod: 0, limit: 10, numberPhases: 1 }])
  expect(inUnit('W')).toEqual([{ startPeriod: 0, limit: 2_300, numberPhases: 1 }])
})

test('watts are the total of all phases, amperes are per phase, and results are cut to one decimal', () => {
  const watts = { schedule: { chargingRateUnit: 'W' } } as const
  const in16 = (unit: 'A' | 'W', ...profiles: PlacedProfile[]) =>
    connectorSchedule(1, profiles, null, { ...hour, unit })

  expect(in16('W', placed([[0, 16]]))).toEqual([{ startPeriod: 0, limit: 11_040, numberPhases: 3 }])
  expect(in16('W', placed([[0, 16, 1]]))).toEqual([{ startPeriod: 0, limit: 3_680, numberPhases: 1 }])
  expect(in16('A', placed([[0, 11_000]], watts))).toEqual([{ startPeriod: 0, limit: 15.9, numberPhases: 3 }])
  expect(connectorSchedule(1, [placed([[0, 3_600, 1]], watts)], null, { ...hour, voltage: 120 })).toEqual([
    { startPeriod: 0, limit: 30, numberPhases: 1 },
  ])
})

test('the station may take what its connectors may, and no more than its own limit', () => {
  const profiles = [placed([[0, 40]], max)]
  const station = (...connectors: (readonly [number, number | null][])[]) =>
    brief(
      stationSchedule(
        profiles,
        connectors.map((each) =>
          each.map(([startPeriod, limit]) => ({ startPeriod, limit, numberPhases: limit && 3 })),
        ),
        hour,
      ),
    )

  expect(
    station(
      [[0, 16]],
      [
        [0, 16],
        [60, 32],
      ],
    ),
  ).toEqual(['0: 32', '60: 40'])
  expect(
    station(
      [[0, 16]],
      [
        [0, null],
        [60, 8],
      ],
    ),
  ).toEqual(['0: 40', '60: 24'])
  expect(station()).toEqual(['0: 40'])
})
