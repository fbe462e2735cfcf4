import { parseTimestamp } from '../timestamp.js'
import { truncateLimit } from './limit.js'
import type { ChargingProfile16, PlacedProfile } from './profile.js'

export type RateUnit = 'A' | 'W'

/** A transaction that runs, or may begin with the schedule. */
export interface ScheduledTransaction {
  /** All ids the station may know it by; empty for one that has not begun. */
  ocppIds: readonly number[]
  startedAt: Date
}

export interface CompositeRequest {
  from: Date
  durationSeconds: number
  unit: RateUnit
  /** Between phase and neutral; not what is measured but what is set for the area (errata 3.69). Default 230. */
  voltage?: number
}

/** Second counted from the start of the schedule; holds until the next period. Null: no profile limits it. */
export interface CompositePeriod {
  startPeriod: number
  /** In the unit asked for, cut to one decimal. */
  limit: number | null
  numberPhases: number | null
}

/** Errata 3.69: where a period gives none, 3 are assumed. */
const assumedPhases = 3
const defaultVoltage = 230
const secondMs = 1_000
const recurrenceMs = { Daily: 86_400_000, Weekly: 7 * 86_400_000 } as const

/**
 * What a connector may take, second by second: the least of the station's limit and of what its transaction is allowed.
 * A transaction goes by its TxProfile, and where that says nothing by the TxDefaultProfile. Within a purpose the highest
 * stack level counts that says something at the time. A default of the connector stands for that of connector 0 on its level.
 * @param profiles all that are set at the station; they fit the schema
 * @param transaction on the connector; what does not run is reckoned as if it began with the schedule
 * @see OCPP 1.6 §3.13.1 to §3.13.3, §5.16.4; §5.7
 */
export function connectorSchedule(
  connectorId: number,
  profiles: readonly PlacedProfile[],
  transaction: ScheduledTransaction | null,
  request: CompositeRequest,
): CompositePeriod[] {
  const running = transaction ?? { ocppIds: [], startedAt: request.from }
  const stacks = {
    max: toStack(ofPurpose(profiles, 'ChargePointMaxProfile'), request.from),
    default: defaultStack(connectorId, profiles, running.startedAt),
    own: toStack(
      ofPurpose(profiles, 'TxProfile').filter(({ transactionId }) =>
        running.ocppIds.includes(transactionId ?? Number.NaN),
      ),
      running.startedAt,
    ),
  }
  const changes = changesOf([...stacks.max, ...stacks.default, ...stacks.own], request)
  return toPeriods(changes, request, (at) => {
    const allowed = prevailing(stacks.own, at) ?? prevailing(stacks.default, at)
    return least([allowed, prevailing(stacks.max, at)], request)
  })
}

/**
 * What the station as a whole may take: the least of its own limit and of the sum of its connectors.
 * Currents of connectors add up per phase, as if all of them used the same one.
 * @param connectors the schedules of all connectors, of the same request; a connector without a limit leaves the sum open
 * @see OCPP 1.6 §3.13.3, §5.7
 */
export function stationSchedule(
  profiles: readonly PlacedProfile[],
  connectors: readonly (readonly CompositePeriod[])[],
  request: CompositeRequest,
): CompositePeriod[] {
  const max = toStack(ofPurpose(profiles, 'ChargePointMaxProfile'), request.from)
  const starts = connectors.flatMap((periods) => periods.map(({ startPeriod }) => startPeriod))
  return toPeriods([...changesOf(max, request), ...starts], request, (at) => {
    const second = (at - request.from.getTime()) / secondMs
    const rates = connectors.map((periods) => rateAt(periods, second, request.unit))
    return least([sum(rates, request.unit), prevailing(max, at)], request)
  })
}

interface Rate {
  limit: number
  unit: RateUnit
  phases: number
}

/** A profile with its times read. */
interface Layer {
  profile: ChargingProfile16
  stackLevel: number
  validFromMs: number
  validToMs: number
  /** Where its periods count from; null for one that has no start. */
  startMs: number
  /** Null: it runs once. */
  everyMs: number | null
  /** Of one run. */
  lengthMs: number
}

function ofPurpose(
  profiles: readonly PlacedProfile[],
  purpose: ChargingProfile16['chargingProfilePurpose'],
): ChargingProfile16[] {
  return profiles
    .map(({ profile }) => profile)
    .filter(({ chargingProfilePurpose }) => chargingProfilePurpose === purpose)
}

/** On each level, what is set for all connectors waits until the connector's own is no longer valid. */
function defaultStack(connectorId: number, profiles: readonly PlacedProfile[], chargingFrom: Date): Layer[] {
  const layersAt = (wanted: number) =>
    toStack(
      ofPurpose(
        profiles.filter((placed) => placed.connectorId === wanted),
        'TxDefaultProfile',
      ),
      chargingFrom,
    )
  const own = layersAt(connectorId)
  const endOfOwn = new Map(own.map(({ stackLevel, validToMs }) => [stackLevel, validToMs]))
  const general = layersAt(0).map((layer) => {
    const waitsUntilMs = endOfOwn.get(layer.stackLevel) ?? Number.NEGATIVE_INFINITY
    return { ...layer, validFromMs: Math.max(layer.validFromMs, waitsUntilMs) }
  })
  return [...own, ...general].sort(byLevel)
}

/** Highest level first. @param chargingFrom where schedules without a start of their own begin */
function toStack(profiles: readonly ChargingProfile16[], chargingFrom: Date): Layer[] {
  return profiles.map((profile) => toLayer(profile, chargingFrom)).sort(byLevel)
}

const byLevel = (a: Layer, b: Layer) => b.stackLevel - a.stackLevel

function toLayer(profile: ChargingProfile16, chargingFrom: Date): Layer {
  const { chargingProfileKind: kind, recurrencyKind, stackLevel, validFrom, validTo } = profile
  const { startSchedule, duration } = profile.chargingSchedule
  const everyMs = kind === 'Recurring' && recurrencyKind ? recurrenceMs[recurrencyKind] : null
  const lengthMs = duration === undefined ? Number.POSITIVE_INFINITY : duration * secondMs
  return {
    profile,
    stackLevel,
    validFromMs: toMs(validFrom, Number.NEGATIVE_INFINITY),
    validToMs: toMs(validTo, Number.POSITIVE_INFINITY),
    startMs: toMs(kind === 'Relative' ? undefined : startSchedule, chargingFrom.getTime()),
    everyMs,
    // What is left of a run when the next one begins is not executed (§5.16.4).
    lengthMs: Math.min(lengthMs, everyMs ?? Number.POSITIVE_INFINITY),
  }
}

function toMs(text: string | undefined, absent: number): number {
  if (text === undefined) return absent
  const { at, guessed } = parseTimestamp(text, new Date(0))
  return guessed ? absent : at.getTime()
}

function prevailing(stack: readonly Layer[], at: number): Rate | null {
  for (const layer of stack) {
    const rate = layerRate(layer, at)
    if (rate) return rate
  }
  return null
}

function layerRate({ profile, validFromMs, validToMs, startMs, everyMs, lengthMs }: Layer, at: number): Rate | null {
  if (at < validFromMs || at >= validToMs || at < startMs) return null
  const elapsedMs = everyMs === null ? at - startMs : (at - startMs) % everyMs
  if (elapsedMs >= lengthMs) return null
  const { chargingSchedulePeriod: periods, chargingRateUnit: unit } = profile.chargingSchedule
  const period = periods.findLast(({ startPeriod }) => startPeriod * secondMs <= elapsedMs)
  return period ? { limit: period.limit, unit, phases: period.numberPhases ?? assumedPhases } : null
}

/**
 * All of them hold at once, so on the fewest phases that any of them allows; on fewer phases than it names a limit stays
 * as it is given (errata 3.34).
 */
function least(rates: readonly (Rate | null)[], request: CompositeRequest): Rate | null {
  const holding = rates.filter((rate) => rate !== null)
  if (holding.length === 0) return null
  const phases = Math.min(...holding.map((rate) => rate.phases))
  const limit = Math.min(...holding.map((rate) => convert({ ...rate, phases }, request)))
  return { limit, unit: request.unit, phases }
}

/** W is the total of all phases, A is per phase (§7.12, errata 3.69). */
function convert({ limit, unit, phases }: Rate, { unit: wanted, voltage = defaultVoltage }: CompositeRequest): number {
  if (unit === wanted) return limit
  return wanted === 'W' ? limit * voltage * phases : limit / (voltage * phases)
}

function sum(rates: readonly (Rate | null)[], unit: RateUnit): Rate | null {
  const limited = rates.filter((rate) => rate !== null)
  if (limited.length === 0 || limited.length < rates.length) return null
  const limit = limited.reduce((total, rate) => total + rate.limit, 0)
  return { limit, unit, phases: Math.max(...limited.map(({ phases }) => phases)) }
}

function rateAt(periods: readonly CompositePeriod[], second: number, unit: RateUnit): Rate | null {
  const period = periods.findLast(({ startPeriod }) => startPeriod <= second)
  if (!period || period.limit === null) return null
  return { limit: period.limit, unit, phases: period.numberPhases ?? assumedPhases }
}

/** The whole seconds of the request from which on something may be different. */
function changesOf(layers: readonly Layer[], { from, durationSeconds }: CompositeRequest): number[] {
  const end = from.getTime() + durationSeconds * secondMs
  return layers.flatMap((layer) => {
    const { validFromMs, validToMs, startMs, everyMs, lengthMs, profile } = layer
    const inRun = [
      ...profile.chargingSchedule.chargingSchedulePeriod.map((each) => each.startPeriod * secondMs),
      lengthMs,
    ]
    const runs = everyMs === null ? [startMs] : runsBetween(startMs, everyMs, from.getTime(), end)
    const times = [validFromMs, validToMs, ...runs.flatMap((run) => inRun.map((offset) => run + offset))]
    return times
      .filter((time) => time > from.getTime() && time < end)
      .map((time) => Math.ceil((time - from.getTime()) / secondMs))
  })
}

function runsBetween(startMs: number, everyMs: number, from: number, end: number): number[] {
  const first = startMs + Math.max(0, Math.floor((from - startMs) / everyMs)) * everyMs
  const count = Math.max(1, Math.ceil((end - first) / everyMs))
  return Array.from({ length: count }, (_, index) => first + index * everyMs)
}

function toPeriods(
  changes: readonly number[],
  { from, durationSeconds }: CompositeRequest,
  rateAtTime: (at: number) => Rate | null,
): CompositePeriod[] {
  const seconds = [...new Set([0, ...changes])].filter((second) => second < durationSeconds).sort((a, b) => a - b)
  const periods: CompositePeriod[] = []
  for (const startPeriod of seconds) {
    const rate = rateAtTime(from.getTime() + startPeriod * secondMs)
    const limit = rate && truncateLimit(Number(rate.limit.toPrecision(12)))
    const last = periods.at(-1)
    const numberPhases = rate?.phases ?? null
    if (!last || last.limit !== limit || last.numberPhases !== numberPhases)
      periods.push({ startPeriod, limit, numberPhases })
  }
  return periods
}
