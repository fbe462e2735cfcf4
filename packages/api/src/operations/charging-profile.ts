import { quirkCounter } from '@busbar/backbone'
import { type ChargingProfile16, formatTimestamp, truncateLimit } from '@busbar/ocpp'
import { z } from 'zod'
import { type Fault, ProblemError } from '../problems.js'
import { timeInput } from '../schemas.js'
import { loadProfileFacts } from './charging-profile-facts.js'
import { fitProfile } from './charging-profile-fit.js'
import { findStationFaults, findWishFaults } from './charging-profile-rules.js'
import type { OperationContext } from './operation.js'

/** A gigawatt: more than any site has. */
const maxLimit = 1_000_000_000

/** A limit over time, in no version's words. */
export const ProfileDraft = z.strictObject({
  purpose: z
    .enum(['ChargePointMaxProfile', 'TxDefaultProfile', 'TxProfile'])
    .describe('A limit for the whole station, for every transaction, for one transaction'),
  kind: z
    .enum(['Absolute', 'Recurring', 'Relative'])
    .describe('Periods count from startAt, from startAt again every day or week, from the start of charging'),
  recurrency: z.enum(['Daily', 'Weekly']).optional().describe('For kind Recurring'),
  stackLevel: z.int().min(0).max(2_147_483_647).describe('Of the profiles that are valid the highest counts'),
  profileId: z
    .int()
    .min(1)
    .max(2_147_483_647)
    .optional()
    .describe('Replaces the profile of this id; default: a new one'),
  transaction: z.uuid().optional().describe("For purpose TxProfile: Busbar's id of the transaction"),
  transactionId: z.int().optional().describe('For purpose TxProfile, instead: the id the station knows it by'),
  validFrom: timeInput.optional().describe('Default for kind Absolute: startAt'),
  validTo: timeInput.optional().describe('Default for kind Absolute: the end of its duration, if it has one'),
  unit: z.enum(['A', 'W']).describe('A: per phase. W: of all phases together'),
  startAt: timeInput.optional().describe('Default for kind Absolute: now; Recurring needs one, Relative has none'),
  durationSeconds: z.int().min(1).max(2_147_483_647).optional().describe('Without one the last period never ends'),
  minChargingRate: z
    .number()
    .min(0)
    .max(maxLimit)
    .optional()
    .describe('Charging with less is inefficient; one decimal is sent'),
  periods: z
    .array(
      z.strictObject({
        start: z.int().min(0).max(2_147_483_647).describe('Seconds; the first is 0'),
        limit: z.number().max(maxLimit).describe('In the unit; cut to one decimal'),
        phases: z.int().min(1).max(3).optional().describe('Without it a station assumes 3'),
      }),
    )
    .min(1)
    .max(1_000),
})
export type ProfileDraft = z.output<typeof ProfileDraft>

/** What a profile is for. */
export interface ProfileUse extends OperationContext {
  use: 'set' | 'remote-start'
  /** Number of 1.6, 0 is the station; undefined for a remote start that leaves the choice to the station. */
  connector: number | undefined
}

/** What goes into the payload. */
export interface BuiltProfile16 {
  /** Null where the station takes none here: then it is left out. Without an id where the draft names none: one is drawn. */
  profile: Omit<ChargingProfile16, 'chargingProfileId'> | null
  /** Where to set it: not always where it was wished. */
  connectorId: number | undefined
  warnings: string[]
}

/**
 * @throws ProblemError 422 with a fault per rule that the standard or what is known of the station breaks
 * @see OCPP 1.6 §3.13, §5.11, §5.16, §7.8 to §7.14 with the errata
 */
export async function toChargingProfile16(draft: ProfileDraft, context: ProfileUse): Promise<BuiltProfile16> {
  const facts = await loadProfileFacts(draft, context)
  const fitted = fitProfile(draft, facts)
  const faults = [...findWishFaults(draft, facts), ...fitted.faults, ...findStationFaults(fitted, facts)]
  if (faults.length > 0) throw refusal(faults, context.use)
  for (const kind of fitted.quirks) quirkCounter(context.metrics).inc({ kind })
  const { warnings, connector: connectorId } = fitted
  return { profile: fitted.isLeftOut ? null : toWire(fitted.draft, facts), connectorId, warnings }
}

function refusal(faults: readonly Fault[], use: ProfileUse['use']): ProblemError {
  const place = use === 'set' ? '/profile' : '/chargingProfile'
  const placed = faults.map(({ detail, pointer }) => ({ detail, pointer: `${place}${pointer}` }))
  return new ProblemError(422, 'This charging profile cannot be carried out.', { faults: placed })
}

/**
 * An Absolute profile names all of its times, and is valid exactly while its schedule runs: whether a lower level counts
 * once a schedule has run out, stations read in two ways (§3.13.2, §5.16.4); with an end of validity they agree.
 */
function toWire(
  draft: ProfileDraft,
  { now, transaction }: { now: Date; transaction: { ocppId: number } | null },
): Omit<ChargingProfile16, 'chargingProfileId'> {
  const { profileId, purpose, kind, recurrency, stackLevel, unit, durationSeconds, minChargingRate, periods } = draft
  const start = kind === 'Relative' ? undefined : (draft.startAt ?? draft.validFrom ?? now)
  const isAbsolute = kind === 'Absolute' && start !== undefined
  const end = isAbsolute && durationSeconds !== undefined ? plusSeconds(start, durationSeconds) : undefined
  const validFrom = draft.validFrom ?? (isAbsolute ? start : undefined)
  const validTo = draft.validTo ?? end
  return {
    ...(profileId !== undefined && { chargingProfileId: profileId }),
    ...(transaction && { transactionId: transaction.ocppId }),
    stackLevel,
    chargingProfilePurpose: purpose,
    chargingProfileKind: kind,
    ...(kind === 'Recurring' && recurrency && { recurrencyKind: recurrency }),
    ...(validFrom && { validFrom: formatTimestamp(validFrom) }),
    ...(validTo && { validTo: formatTimestamp(validTo) }),
    chargingSchedule: {
      ...(durationSeconds !== undefined && { duration: durationSeconds }),
      ...(start && { startSchedule: formatTimestamp(start) }),
      chargingRateUnit: unit,
      chargingSchedulePeriod: periods.map(({ start: startPeriod, limit, phases: numberPhases }) => ({
        startPeriod,
        limit: truncateLimit(limit),
        ...(numberPhases !== undefined && { numberPhases }),
      })),
      ...(minChargingRate !== undefined && { minChargingRate: truncateLimit(minChargingRate) }),
    },
  }
}

const plusSeconds = (date: Date, seconds: number) => new Date(date.getTime() + seconds * 1_000)
