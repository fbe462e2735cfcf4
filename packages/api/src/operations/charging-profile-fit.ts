import type { Fault } from '../problems.js'
import type { ProfileDraft } from './charging-profile.js'
import type { ProfileFacts } from './charging-profile-facts.js'
import { recurrenceSeconds } from './charging-profile-rules.js'

/** What is sent to a station that takes less than the standard has; `draft` is the wish in its words. */
interface FittedProfile {
  draft: ProfileDraft
  connector: number | undefined
  isLeftOut: boolean
  warnings: string[]
  faults: Fault[]
  /** Labels of `busbar_quirks_total`: the switches that made a difference. */
  quirks: string[]
}

/** Of the grid in most of the world; errata 3.69 reckons with the nominal voltage, and with 3 phases where none are given. */
const nominalVoltage = 230
const assumedPhases = 3

/** Turns a draft into an equal one, or says why there is none; null: the station takes it as it is. */
type Fit = (fitted: FittedProfile, facts: ProfileFacts) => Partial<FittedProfile> | null

/** Switches of a station, for what it is known not to take. */
const fits: Readonly<Record<string, { quirk: string; fit: Fit }>> = {
  chargingProfileStackLevelZero: {
    quirk: 'profile-stack-level',
    fit: ({ draft }) => (draft.stackLevel === 0 ? null : changed(draft, { stackLevel: 0 })),
  },
  chargingProfileRelativeOnly: {
    quirk: 'profile-relative',
    fit: ({ draft }, facts) => (draft.kind === 'Relative' ? null : toRelative(draft, facts)),
  },
  chargingProfileAbsoluteOnly: {
    quirk: 'profile-absolute',
    fit: ({ draft }, facts) => (draft.kind === 'Relative' ? toAbsolute(draft, facts) : null),
  },
  chargingProfileWattsOnly: {
    quirk: 'profile-watts',
    fit: ({ draft }) => (draft.unit === 'W' ? null : toWatts(draft)),
  },
  chargingProfileConnectorZero: {
    quirk: 'profile-connector-zero',
    fit: ({ connector }, { use }) =>
      use === 'set' && connector !== 0
        ? { connector: 0, warnings: ['set at connector 0: the station takes no profiles at its connectors'] }
        : null,
  },
  chargingProfileNotInRemoteStart: {
    quirk: 'profile-left-out',
    fit: (_, { use }) =>
      use === 'remote-start'
        ? { isLeftOut: true, warnings: ['sent without the profile: the station takes none with a remote start'] }
        : null,
  },
}

export function fitProfile(draft: ProfileDraft, facts: ProfileFacts): FittedProfile {
  const fitted: FittedProfile = {
    draft,
    connector: facts.connector,
    isLeftOut: false,
    warnings: unusedPeriods(draft),
    faults: [],
    quirks: [],
  }
  for (const [name, { quirk, fit }] of Object.entries(fits)) {
    const difference = facts.switches[name] === true ? fit(fitted, facts) : null
    if (!difference) continue
    const { warnings = [], faults = [], ...change } = difference
    Object.assign(fitted, change)
    fitted.warnings.push(...warnings)
    fitted.faults.push(...faults)
    fitted.quirks.push(quirk)
  }
  return fitted
}

function unusedPeriods({ kind, recurrency, durationSeconds, periods }: ProfileDraft): string[] {
  const recurrence = kind === 'Recurring' && recurrency ? recurrenceSeconds[recurrency] : Number.POSITIVE_INFINITY
  const end = Math.min(durationSeconds ?? Number.POSITIVE_INFINITY, recurrence)
  const unused = periods.filter(({ start }) => start >= end).length
  return unused === 0 ? [] : [`${unused} of the periods start after the schedule has ended`]
}

function changed(draft: ProfileDraft, change: Partial<ProfileDraft>): Partial<FittedProfile> {
  const names = Object.entries(change).filter(([, value]) => value !== undefined)
  const told = names.map(([name, value]) => `${name} ${value instanceof Date ? value.toISOString() : value}`)
  return { draft: { ...draft, ...change }, warnings: [`sent with ${told.join(', ')}: the station takes nothing else`] }
}

const noEqual = (kind: string): Partial<FittedProfile> => ({
  faults: [
    { pointer: '/kind', detail: `the station takes ${kind} profiles only, and there is none equal to this one` },
  ],
})

/** One period that is bounded by times is as well bounded by its validity. */
function toRelative(draft: ProfileDraft, { now }: ProfileFacts): Partial<FittedProfile> {
  const { kind, periods, startAt = draft.validFrom ?? now, durationSeconds } = draft
  if (kind !== 'Absolute' || periods.length > 1) return noEqual('Relative')
  const end = durationSeconds === undefined ? undefined : new Date(startAt.getTime() + durationSeconds * 1_000)
  const validTo =
    draft.validTo && end ? new Date(Math.min(draft.validTo.getTime(), end.getTime())) : (draft.validTo ?? end)
  const validFrom = new Date(Math.max(startAt.getTime(), draft.validFrom?.getTime() ?? 0))
  const { startAt: _start, durationSeconds: _duration, ...rest } = draft
  return changed(rest, { kind: 'Relative', validFrom, validTo })
}

/** The start of charging is known once the transaction runs; a limit that never changes needs no start. */
function toAbsolute(draft: ProfileDraft, { now, transaction }: ProfileFacts): Partial<FittedProfile> {
  const isConstant = draft.periods.length === 1 && draft.durationSeconds === undefined
  const startAt = transaction?.startedAt ?? (isConstant ? now : null)
  return startAt ? changed(draft, { kind: 'Absolute', startAt }) : noEqual('Absolute')
}

/** @see OCPP 1.6 §7.12 with errata 3.69: W is the total of all phases, A is per phase */
function toWatts(draft: ProfileDraft): Partial<FittedProfile> {
  // Binary fractions may fall short of a product that is exact in decimals, and limits are cut, not rounded.
  const watts = (amperes: number, phases = assumedPhases) => Number((amperes * nominalVoltage * phases).toPrecision(12))
  const { minChargingRate, periods } = draft
  const change = {
    unit: 'W' as const,
    ...(minChargingRate !== undefined && { minChargingRate: watts(minChargingRate, periods[0]?.phases) }),
  }
  const converted = periods.map((period) => ({ ...period, limit: watts(period.limit, period.phases) }))
  return changed({ ...draft, periods: converted }, change)
}
