import fc from 'fast-check'
import { expect, test } from 'vitest'
import { connectorSchedule, stationSchedule } from './composite-schedule.js'
import type { ChargingProfile16, PlacedProfile } from './profile.js'

const numRuns = Number(process.env.PROPERTY_RUNS ?? 500)

const from = Date.UTC(2026, 2, 2, 23, 58, 20)
const windowSeconds = 300
const day = 86_400_000

/** Moments around the window, off by fractions of a second, and by days for what recurs. */
const moment = fc
  .tuple(fc.integer({ min: -400, max: 1_600 }), fc.integer({ min: -9, max: 1 }))
  .map(([quarters, days]) => new Date(from + quarters * 250 + days * day).toISOString())
const nearMoment = fc
  .integer({ min: -400, max: 1_600 })
  .map((quarters) => new Date(from + quarters * 250).toISOString())
/** Lengths that end in the window, or with the days before it. */
const length = fc
  .tuple(fc.integer({ min: 1, max: 500 }), fc.constantFrom(0, 0, 86_300, 604_600))
  .map(([seconds, more]) => seconds + more)

const profile: fc.Arbitrary<ChargingProfile16> = fc
  .record(
    {
      chargingProfileId: fc.integer({ min: 1, max: 99 }),
      stackLevel: fc.integer({ min: 0, max: 9 }),
      chargingProfilePurpose: fc.constantFrom('ChargePointMaxProfile', 'TxDefaultProfile', 'TxProfile'),
      chargingProfileKind: fc.constantFrom('Absolute', 'Recurring', 'Relative'),
      recurrencyKind: fc.constantFrom('Daily', 'Weekly'),
      transactionId: fc.constantFrom(7, 8),
      validFrom: nearMoment,
      validTo: nearMoment,
      chargingSchedule: fc.record(
        {
          startSchedule: moment,
          duration: length,
          chargingRateUnit: fc.constantFrom('A', 'W'),
          chargingSchedulePeriod: fc.uniqueArray(length, { maxLength: 5 }).chain((starts) =>
            fc.tuple(
              ...[0, ...starts]
                .sort((a, b) => a - b)
                .map((startPeriod) =>
                  fc.record(
                    {
                      startPeriod: fc.constant(startPeriod),
                      limit: fc.integer({ min: 0, max: 320 }).map((tenths) => tenths / 10),
                      numberPhases: fc.integer({ min: 1, max: 3 }),
                    },
                    { requiredKeys: ['startPeriod', 'limit'] },
                  ),
                ),
            ),
          ),
        },
        { requiredKeys: ['chargingRateUnit', 'chargingSchedulePeriod'] },
      ),
    },
    {
      requiredKeys: [
        'chargingProfileId',
        'stackLevel',
        'chargingProfilePurpose',
        'chargingProfileKind',
        'chargingSchedule',
      ],
    },
  )
  .map((each) => each as ChargingProfile16)

/** No two share a place in a stack: a station would have dropped the first. */
const profiles = fc.uniqueArray(fc.record({ connectorId: fc.integer({ min: 0, max: 2 }), profile }), {
  maxLength: 8,
  selector: ({ connectorId, profile: { chargingProfilePurpose: purpose, stackLevel, transactionId } }) =>
    `${purpose} ${stackLevel} ${purpose === 'TxProfile' ? transactionId : purpose === 'TxDefaultProfile' ? connectorId : 0}`,
})

const transaction = fc.option(
  fc
    .integer({ min: -1_600, max: 0 })
    .map((quarters) => ({ ocppIds: [7, 70], startedAt: new Date(from + quarters * 250) })),
)
const request = fc.constantFrom('A' as const, 'W' as const).map((unit) => ({
  from: new Date(from),
  durationSeconds: windowSeconds,
  unit,
}))

type Transaction = { ocppIds: number[]; startedAt: Date } | null
type Cap = { amount: number; unit: string; phases: number } | null

/** What one profile says at one moment: found by walking through it. */
function said(
  { chargingProfileKind: kind, recurrencyKind, validFrom, validTo, chargingSchedule }: ChargingProfile16,
  now: number,
  begin: number,
): Cap {
  if (validFrom && Date.parse(validFrom) > now) return null
  if (validTo && Date.parse(validTo) <= now) return null
  let start =
    kind === 'Relative' || !chargingSchedule.startSchedule ? begin : Date.parse(chargingSchedule.startSchedule)
  const step = kind !== 'Recurring' || !recurrencyKind ? 0 : recurrencyKind === 'Daily' ? day : 7 * day
  while (step > 0 && start + step <= now) start += step
  if (now < start) return null
  if (chargingSchedule.duration !== undefined && now >= start + chargingSchedule.duration * 1_000) return null
  let current: Cap = null
  for (const { startPeriod, limit, numberPhases = 3 } of chargingSchedule.chargingSchedulePeriod) {
    if (now < start + startPeriod * 1_000) break
    current = { amount: limit, unit: chargingSchedule.chargingRateUnit, phases: numberPhases }
  }
  return current
}

function ofStack(stack: ChargingProfile16[], now: number, begin: number): Cap {
  for (let level = 9; level >= 0; level--) {
    const found = stack.find(({ stackLevel }) => stackLevel === level)
    const cap = found ? said(found, now, begin) : null
    if (cap) return cap
  }
  return null
}

/** What both allow, on a car of as many phases as both allow. @returns [limit, phases] */
function both(a: Cap, b: Cap, unit: string): [number | null, number | null] {
  const phases = Math.min(a?.phases ?? 3, b?.phases ?? 3)
  let amount = Number.POSITIVE_INFINITY
  for (const cap of [a, b]) {
    if (!cap) continue
    const volts = 230 * phases
    const own = cap.unit === unit ? cap.amount : unit === 'W' ? cap.amount * volts : cap.amount / volts
    if (own < amount) amount = own
  }
  return a || b ? [cut(amount), phases] : [null, null]
}

function connectorAt(connector: number, all: PlacedProfile[], running: Transaction, now: number, unit: string) {
  const begin = running ? running.startedAt.getTime() : from
  const max: ChargingProfile16[] = []
  const mine: ChargingProfile16[] = []
  const defaults = new Map<number, ChargingProfile16>()
  for (const each of all) {
    const { chargingProfilePurpose: purpose, transactionId = -1, stackLevel, validTo } = each.profile
    if (purpose === 'ChargePointMaxProfile') max.push(each.profile)
    if (purpose === 'TxProfile' && running?.ocppIds.includes(transactionId)) mine.push(each.profile)
    if (purpose !== 'TxDefaultProfile') continue
    const isOver = validTo !== undefined && Date.parse(validTo) <= now
    if (each.connectorId === connector && !isOver) defaults.set(stackLevel, each.profile)
    if (each.connectorId === 0 && !defaults.has(stackLevel)) defaults.set(stackLevel, each.profile)
  }
  const allowed = ofStack(mine, now, begin) ?? ofStack([...defaults.values()], now, begin)
  return both(allowed, ofStack(max, now, from), unit)
}

/** Binary fractions are no decimals: what is a hair below a tenth is that tenth. */
const cut = (amount: number) => Math.floor(amount * 10 + 1e-7) / 10

function expand(periods: ReturnType<typeof connectorSchedule>): [number | null, number | null][] {
  expect(periods[0]?.startPeriod).toBe(0)
  return periods.flatMap(({ startPeriod, limit, numberPhases }, index) => {
    const next = periods[index + 1]
    if (next) expect([next.limit, next.numberPhases]).not.toEqual([limit, numberPhases])
    const seconds = (next?.startPeriod ?? windowSeconds) - startPeriod
    expect(seconds).toBeGreaterThan(0)
    return Array.from({ length: seconds }, () => [limit, numberPhases] as [number | null, number | null])
  })
}

test('a connector schedule is what a walk through every second finds', () => {
  fc.assert(
    fc.property(profiles, transaction, request, (all, running, asked) => {
      const expected = Array.from({ length: windowSeconds }, (_, second) =>
        connectorAt(1, all, running, from + second * 1_000, asked.unit),
      )
      expect(expand(connectorSchedule(1, all, running, asked))).toEqual(expected)
    }),
    { numRuns },
  )
}, 3_600_000)

test('a station schedule never exceeds its own limit, nor the sum of its connectors', () => {
  fc.assert(
    fc.property(profiles, transaction, request, (all, running, asked) => {
      const connectors = [connectorSchedule(1, all, running, asked), connectorSchedule(2, all, null, asked)]
      const each = connectors.map(expand)
      const max = all
        .map(({ profile }) => profile)
        .filter(({ chargingProfilePurpose }) => chargingProfilePurpose === 'ChargePointMaxProfile')
      const expected = Array.from({ length: windowSeconds }, (_, second) => {
        const [first = null, firstPhases] = each[0]?.[second] ?? []
        const [other = null, otherPhases] = each[1]?.[second] ?? []
        const isOpen = first === null || other === null
        const phases = Math.max(firstPhases ?? 3, otherPhases ?? 3)
        const sum = isOpen ? null : { amount: first + other, unit: asked.unit, phases }
        return both(sum, ofStack(max, from + second * 1_000, from), asked.unit)
      })
      expect(expand(stationSchedule(all, connectors, asked))).toEqual(expected)
    }),
    { numRuns },
  )
}, 3_600_000)
