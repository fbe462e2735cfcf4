import { compareDecimals, type Decimal } from '@busbar/ocpp'

/** One value of one register: Wh (or varh, VAh), exact. */
export interface RegisterReading {
  /** ISO 8601 in UTC with milliseconds, so that texts sort as times. */
  at: string
  wh: Decimal
  /** When it was first heard of; only where `at` is no time of day, because the station's clock was never set. */
  receivedAt?: string
}

/** All that is kept of a register, however many readings came: its ends, the one after the first, and the highest. */
export interface Register {
  first: RegisterReading
  /** Confirms or refutes `first`: stations send 0 for a begin they do not know. */
  second: RegisterReading | null
  last: RegisterReading
  maxWh: Decimal
}

/**
 * What a transaction knows of its energy. Merging is commutative, associative and idempotent, so neither order nor
 * repetition of messages can change the outcome.
 */
export interface Registers {
  /** 1.6 StartTransaction.meterStart and StopTransaction.meterStop: always the meter's lifetime register. */
  start: RegisterReading | null
  stop: RegisterReading | null
  /** By `registerName`: what MeterValues, transactionData and TransactionEvents said. */
  series: Record<string, Register>
  /** Energy of single intervals, by register name, then by time; emptied once a register tells the same. */
  intervals: Record<string, Record<string, Decimal>>
}

/** One sample that is a register or interval of energy. */
export interface EnergySample {
  kind: 'register' | 'interval'
  name: string
  reading: RegisterReading
}

export const importRegister = 'Energy.Active.Import.Register'
export const importInterval = 'Energy.Active.Import.Interval'

/** Beyond it a station sends nonsense; the rest stays in the meter readings and the transaction is held. */
export const maxIntervals = 10_000

export function emptyRegisters(): Registers {
  return { start: null, stop: null, series: {}, intervals: {} }
}

/** @param phase '' for the meter's total */
export function registerName(measurand: string, phase: string, location: string): string {
  return `${measurand}|${phase}|${location}`
}

/** Adds one sample; says whether anything changed. */
export function mergeSample(registers: Registers, sample: EnergySample): boolean {
  return sample.kind === 'register' ? mergeRegister(registers, sample) : mergeInterval(registers, sample)
}

function mergeRegister(registers: Registers, { name, reading }: EnergySample): boolean {
  const known = registers.series[name]
  if (!known) {
    registers.series[name] = { first: reading, second: null, last: reading, maxWh: reading.wh }
    return true
  }
  const merged = mergeReading(known, reading)
  if (merged === known) return false
  registers.series[name] = merged
  dropNeedlessIntervals(registers)
  return true
}

/** @returns the register itself when the reading tells nothing new */
function mergeReading(register: Register, reading: RegisterReading): Register {
  const { first, second, last, maxWh } = register
  const isHighest = compareDecimals(reading.wh, maxWh) > 0
  const isFirst = compareReadings(reading, first) < 0
  const isSecond = !isFirst && compareReadings(reading, first) > 0 && (!second || compareReadings(reading, second) < 0)
  const isLast = compareReadings(reading, last) > 0
  const merged = {
    first: isFirst ? reading : firstHeard(first, reading),
    second: isFirst ? first : isSecond ? reading : second && firstHeard(second, reading),
    last: isLast ? reading : firstHeard(last, reading),
    maxWh: isHighest ? reading.wh : maxWh,
  }
  const isNew = merged.first !== first || merged.second !== second || merged.last !== last || isHighest
  return isNew ? merged : register
}

/** @returns `known`, unless `reading` is the same one and was heard of before it */
function firstHeard(known: RegisterReading, reading: RegisterReading): RegisterReading {
  if (!known.receivedAt || !reading.receivedAt || compareReadings(known, reading) !== 0) return known
  return reading.receivedAt < known.receivedAt ? reading : known
}

function mergeInterval(registers: Registers, { name, reading }: EnergySample): boolean {
  if (hasRegisterEnergy(registers)) return false
  registers.intervals[name] ??= {}
  const intervals = registers.intervals[name]
  const known = intervals[reading.at]
  // Two values for one interval: the higher, so that the order in which they came does not matter.
  if (known !== undefined && compareDecimals(reading.wh, known) <= 0) return false
  if (known === undefined && Object.keys(intervals).length > maxIntervals) return false
  intervals[reading.at] = reading.wh
  return true
}

/** Once true it stays true: what a transaction knows only grows. */
export function hasRegisterEnergy({ start, stop, series }: Registers): boolean {
  if (start && stop) return true
  return Object.entries(series).some(([name, register]) => name.startsWith(`${importRegister}|`) && register.second)
}

/** Call after `start` or `stop` became known. */
export function dropNeedlessIntervals(registers: Registers): void {
  if (hasRegisterEnergy(registers)) registers.intervals = {}
}

/** By time, then by value. */
export function compareReadings(left: RegisterReading, right: RegisterReading): number {
  if (left.at !== right.at) return left.at < right.at ? -1 : 1
  return compareDecimals(left.wh, right.wh)
}
