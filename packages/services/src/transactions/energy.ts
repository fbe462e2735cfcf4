import { addDecimals, compareDecimals, type Decimal, roundDecimal, shiftDecimal, subtractDecimals } from '@busbar/ocpp'
import {
  importInterval,
  importRegister,
  maxIntervals,
  type Register,
  type RegisterReading,
  type Registers,
  registerName,
} from './registers.js'

/** Why a transaction is held: answered and kept, but neither exported nor invoiced until somebody looked. */
export type HeldReason =
  /** The register fell: a meter was reset or replaced, or kWh and Wh were mixed. */
  | 'negative-energy'
  /** It fell in between and rose again. */
  | 'register-decreased'
  /** It began at 0, and the next reading is too high to have grown from there: 0 stood for "not known". */
  | 'begin-unconfirmed'
  /** More than the EVSE can deliver in that time. */
  | 'power-implausible'
  /** The readings during the transaction tell of more energy than its start and stop. */
  | 'registers-disagree'
  /** It began in kWh and went on in Wh. */
  | 'unit-mixed'
  /** meterStart or meterStop is negative: firmware's word for "no reading". */
  | 'meter-missing'
  /** Beyond what any session can hold. */
  | 'energy-out-of-range'
  | 'too-many-intervals'

export interface Energy {
  /** Wh, rounded once; null until two readings of one register are known. */
  wh: bigint | null
  /** The register it was taken from. */
  source: string | null
  heldReasons: HeldReason[]
}

/** No EVSE delivers more, but for trucks at sites that say so: there and below stands the station's switch `maxPowerW`. */
export const defaultMaxPowerW = 1_000_000

interface Measured {
  wh: Decimal
  source: string
  from: RegisterReading
  to: RegisterReading
  heldReasons: HeldReason[]
}

const hourMs = 3_600_000

/** Tolerance of every plausibility check: meters count in steps, and clocks are seconds off. */
const slackWh: Decimal = '1000'
// int8 of Postgres and 2^53 of JSON are far above; no battery is near.
const maxWh: Decimal = '1000000000000'
const zero: Decimal = '0'

/**
 * The energy of a transaction: one register is chosen, its ends are subtracted exactly, the difference is rounded
 * once. A pure function of the registers, so it is the same whatever way they were learned.
 *
 * Order of choice: meterStart and meterStop of 1.6; the import register at the outlet (total, else N, which some
 * meters use for the total, else the sum of the phases); the same at the inlet; the sum of intervals, marked as such.
 */
export function toEnergy(registers: Registers, maxPowerW: number): Energy {
  const heldReasons = new Set<HeldReason>()
  const start = usable(registers.start, heldReasons)
  const stop = usable(registers.stop, heldReasons)
  const series = measureSeries(registers, maxPowerW)
  const measured = measureMeter(start, stop, registers, maxPowerW) ?? series ?? sumIntervals(registers)
  if (!measured) return { wh: null, source: null, heldReasons: [...heldReasons].sort() }
  for (const reason of measured.heldReasons) heldReasons.add(reason)
  if (compareDecimals(measured.wh, zero) < 0) heldReasons.add('negative-energy')
  if (compareDecimals(measured.wh, highestWh(measured.from, measured.to, maxPowerW)) > 0)
    heldReasons.add('power-implausible')
  if (registers.start && series && compareDecimals(series.wh, addDecimals(measured.wh, slackWh)) > 0)
    heldReasons.add('registers-disagree')
  if (start && series && isUnitMixed(start, measured, series)) heldReasons.add('unit-mixed')
  const isInRange =
    compareDecimals(measured.wh, maxWh) < 0 && compareDecimals(subtractDecimals(zero, measured.wh), maxWh) < 0
  if (!isInRange) heldReasons.add('energy-out-of-range')
  return {
    wh: isInRange ? roundDecimal(measured.wh) : null,
    source: measured.source,
    heldReasons: [...heldReasons].sort(),
  }
}

function usable(reading: RegisterReading | null, heldReasons: Set<HeldReason>): RegisterReading | null {
  if (!reading) return null
  if (!reading.wh.startsWith('-')) return reading
  heldReasons.add('meter-missing')
  return null
}

/** Start and Stop of 1.6; where one of the two is missing, the readings in between stand in if they fit to the other. */
function measureMeter(
  start: RegisterReading | null,
  stop: RegisterReading | null,
  registers: Registers,
  maxPowerW: number,
): Measured | null {
  const total = totalRegister(registers)
  if (start && stop) {
    const heldReasons: HeldReason[] =
      total && isUnconfirmed(start, total.register.first, maxPowerW) ? ['begin-unconfirmed'] : []
    return difference(start, stop, 'start-stop', heldReasons)
  }
  if (start && total && isOfOneMeter(start, total.register)) {
    const { last } = total.register
    const heldReasons: HeldReason[] = isUnconfirmed(start, total.register.first, maxPowerW) ? ['begin-unconfirmed'] : []
    return difference(start, last, `start, ${total.name}`, heldReasons)
  }
  return null
}

/** A series below the start counts on its own, per session (lbb#2093): the two cannot be subtracted. */
function isOfOneMeter(start: RegisterReading, { first }: Register): boolean {
  return compareDecimals(first.wh, start.wh) >= 0
}

/** Where the meter that meterStart and meterStop are read from stood when it was last heard of. */
export function lastKnownWh(registers: Registers): Decimal | null {
  const { start } = registers
  const total = totalRegister(registers)
  return start && total && isOfOneMeter(start, total.register) ? total.register.last.wh : (start?.wh ?? null)
}

function difference(from: RegisterReading, to: RegisterReading, source: string, heldReasons: HeldReason[]): Measured {
  return { wh: subtractDecimals(to.wh, from.wh), source, from, to, heldReasons }
}

const phaseFamilies = [
  ['L1', 'L2', 'L3'],
  ['L1-N', 'L2-N', 'L3-N'],
]

/** The registers to add up, best first. */
const candidates = ['Outlet', 'Inlet'].flatMap((location) =>
  [[''], ['N'], ...phaseFamilies].map((phases) => phases.map((phase) => registerName(importRegister, phase, location))),
)

const totals = candidates.filter((names) => names.length === 1).map(([name = '']) => name)

function totalRegister({ series }: Registers): { name: string; register: Register } | null {
  for (const name of totals) {
    const register = series[name]
    if (register) return { name, register }
  }
  return null
}

function measureSeries({ series }: Registers, maxPowerW: number): Measured | null {
  for (const names of candidates) {
    const present = names.filter((name) => series[name])
    if (present.length === 0) continue
    const known = present.flatMap((name) => series[name] ?? [])
    if (known.every(({ second }) => second)) return sumRegisters(known, present.join(' + '), maxPowerW)
  }
  return null
}

function sumRegisters(registers: Register[], source: string, maxPowerW: number): Measured {
  const heldReasons: HeldReason[] = []
  let sum: Decimal = zero
  for (const { first, second, last, maxWh } of registers) {
    sum = addDecimals(sum, subtractDecimals(last.wh, first.wh))
    if (compareDecimals(maxWh, addDecimals(last.wh, slackWh)) > 0) heldReasons.push('register-decreased')
    if (second && isUnconfirmed(first, second, maxPowerW)) heldReasons.push('begin-unconfirmed')
  }
  return { wh: sum, source, ...span(registers.flatMap(({ first, last }) => [first, last])), heldReasons }
}

/** True when `begin` is 0 and `next` cannot have grown from it. Some meters do count from 0 for each session. */
function isUnconfirmed(begin: RegisterReading, next: RegisterReading, maxPowerW: number): boolean {
  return compareDecimals(begin.wh, zero) === 0 && compareDecimals(next.wh, highestWh(begin, next, maxPowerW)) > 0
}

/** The readings begin a thousand times above the start and tell of less: the start was in kWh. A meter at 0 is neither. */
function isUnitMixed(start: RegisterReading, measured: Measured, series: Measured): boolean {
  if (compareDecimals(start.wh, zero) === 0) return false
  const isThousandfold = compareDecimals(series.from.wh, shiftDecimal(start.wh, 3)) >= 0
  return isThousandfold && compareDecimals(measured.wh, addDecimals(series.wh, slackWh)) > 0
}

/** Power x time, a tenth more, and 1 kWh. */
function highestWh(from: RegisterReading, to: RegisterReading, maxPowerW: number): Decimal {
  const wh = Math.ceil((maxPowerW * 11 * Math.max(0, elapsedMs(from, to))) / (10 * hourMs))
  return addDecimals(String(wh), slackWh)
}

/**
 * By the station's clock where it knew the time. Where it did not, by when we heard of it; between two such readings by
 * the longer of both, because the clock may have begun anew and what was said offline is heard all at once.
 */
function elapsedMs(from: RegisterReading, to: RegisterReading): number {
  const heard = Date.parse(to.receivedAt ?? to.at) - Date.parse(from.receivedAt ?? from.at)
  return from.receivedAt && to.receivedAt ? Math.max(heard, Date.parse(to.at) - Date.parse(from.at)) : heard
}

function sumIntervals({ intervals }: Registers): Measured | null {
  for (const names of candidates) {
    const known = names
      .map((name) => intervals[name.replace(importRegister, importInterval)])
      .filter((each) => each !== undefined)
    if (known.length === 0) continue
    let sum: Decimal = zero
    for (const each of known) for (const wh of Object.values(each)) sum = addDecimals(sum, wh)
    const readings = known.flatMap((each) => Object.entries(each).map(([at, wh]) => ({ at, wh })))
    const heldReasons: HeldReason[] = known.some((each) => Object.keys(each).length > maxIntervals)
      ? ['too-many-intervals']
      : []
    const { from, to } = span(readings)
    // The first interval began before its reading; none is longer than an hour.
    const beginning = { ...from, at: new Date(Date.parse(from.at) - hourMs).toISOString() }
    return { wh: sum, source: 'interval-sum', from: beginning, to, heldReasons }
  }
  return null
}

function span(readings: RegisterReading[]): { from: RegisterReading; to: RegisterReading } {
  const sorted = [...readings].sort((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0))
  const [from, to] = [sorted[0], sorted.at(-1)]
  if (!from || !to) throw new Error('a span of no readings')
  return { from, to }
}
