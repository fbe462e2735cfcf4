import { type Decimal, parseDecimal, shiftDecimal } from '../decimal.js'
import { isObject, type Payload } from '../protocol.js'
import type { v16, v201 } from '../types.js'
import { Fields, names } from './fields.js'
import type { Findings } from './findings.js'

/** What was measured at one moment. */
export interface MeterValueReading {
  at: Date
  /** The station's time was missing or unreadable; `at` is that of the message. */
  guessed: boolean
  samples: SampleReading[]
  /** The sampledValue array as sent. */
  sent: Payload[]
}

/** One sampled value in the terms of 2.0.1, whatever the version. */
export interface SampleReading {
  /** As sent; Energy.Active.Import.Register when absent. */
  measurand: string
  /** null: not by phase, which for energy and power is the total. */
  phase: string | null
  /** As sent; Outlet when absent. */
  location: string
  /** Sample.Periodic when absent, Other when unknown. */
  context: string
  /** Exact, in `unit`, multiplier applied; null when only signed data came (1.6 format SignedData). */
  value: Decimal | null
  /** `value` as a number, for drawing; never for billing. */
  number: number | null
  /** A unit without prefix: Wh, W, A, V, ... ; '' where the measurand has none, as sent when unknown. */
  unit: string
  /** 2.0.1 signedMeterValue as sent; for 1.6 { signedMeterData: the value as sent }. */
  signed: Payload | null
}

type Measurand16 = NonNullable<v16.MeterValuesRequest['meterValue'][number]['sampledValue'][number]['measurand']>

/** Every measurand of either version, and the unit it has when none is sent. Also the type check against both schemas. */
const defaultUnits: Record<Measurand16 | v201.MeasurandEnumType, string> = {
  'Current.Export': 'A',
  'Current.Import': 'A',
  'Current.Offered': 'A',
  'Energy.Active.Export.Interval': 'Wh',
  'Energy.Active.Export.Register': 'Wh',
  'Energy.Active.Import.Interval': 'Wh',
  'Energy.Active.Import.Register': 'Wh',
  'Energy.Active.Net': 'Wh',
  'Energy.Apparent.Export': 'VAh',
  'Energy.Apparent.Import': 'VAh',
  'Energy.Apparent.Net': 'VAh',
  'Energy.Reactive.Export.Interval': 'varh',
  'Energy.Reactive.Export.Register': 'varh',
  'Energy.Reactive.Import.Interval': 'varh',
  'Energy.Reactive.Import.Register': 'varh',
  'Energy.Reactive.Net': 'varh',
  Frequency: 'Hz',
  'Power.Active.Export': 'W',
  'Power.Active.Import': 'W',
  'Power.Factor': '',
  'Power.Offered': 'W',
  'Power.Reactive.Export': 'var',
  'Power.Reactive.Import': 'var',
  RPM: 'RPM',
  SoC: 'Percent',
  Temperature: 'Celsius',
  Voltage: 'V',
}

const defaultUnitByMeasurand = new Map(Object.entries(defaultUnits))

/** Spellings of units: the unit without prefix, and the power of ten to it. */
const units: Record<string, readonly [unit: string, power: number]> = {
  Wh: ['Wh', 0],
  kWh: ['Wh', 3],
  varh: ['varh', 0],
  kvarh: ['varh', 3],
  VAh: ['VAh', 0],
  kVAh: ['VAh', 3],
  W: ['W', 0],
  kW: ['W', 3],
  VA: ['VA', 0],
  kVA: ['VA', 3],
  var: ['var', 0],
  kvar: ['var', 3],
  A: ['A', 0],
  mA: ['A', -3],
  V: ['V', 0],
  mV: ['V', -3],
  Hz: ['Hz', 0],
  Percent: ['Percent', 0],
  Celsius: ['Celsius', 0],
  // The schema of 1.6 had it wrong, so both are right (OCPP-J 1.6 errata §2.1).
  Celcius: ['Celsius', 0],
  K: ['K', 0],
  Fahrenheit: ['Fahrenheit', 0],
  RPM: ['RPM', 0],
}

/** What stations write instead. */
const unitAliases: Record<string, string> = {
  hertz: 'Hz',
  c: 'Celsius',
  '°c': 'Celsius',
  '%': 'Percent',
  f: 'Fahrenheit',
}

const unitsByFoldedName = new Map([
  ...Object.keys(units).map((unit) => [unit.toLowerCase(), unit] as const),
  ...Object.entries(unitAliases),
])

const measurands = names(Object.keys(defaultUnits))
const phases = names(['L1', 'L2', 'L3', 'N', 'L1-N', 'L2-N', 'L3-N', 'L1-L2', 'L2-L3', 'L3-L1'])
const locations = names(['Body', 'Cable', 'EV', 'Inlet', 'Outlet', 'Upstream'])
const contexts = names([
  'Interruption.Begin',
  'Interruption.End',
  'Other',
  'Sample.Clock',
  'Sample.Periodic',
  'Transaction.Begin',
  'Transaction.End',
  'Trigger',
])

/** Energy counts over time what power is; some stations confuse the two units. */
const hourOf: Record<string, string> = { W: 'Wh', VA: 'VAh', var: 'varh', Wh: 'W', VAh: 'VA', varh: 'var' }

/**
 * Reads meterValue (1.6: also transactionData). What holds no readable sample is left out and found.
 * @param wireType of SampledValue.value: text in 1.6, number in 2.0.1; either is read
 * @see OCPP 1.6 §7 MeterValue, SampledValue; 2.0.1 part 2 §2 MeterValueType, §2.41 SampledValueType
 */
export function readMeterValues(
  meterValue: unknown,
  wireType: 'text' | 'number',
  messageAt: Date,
  findings: Findings,
  path: string,
): MeterValueReading[] {
  if (meterValue === undefined) return []
  const readings: MeterValueReading[] = []
  for (const item of toList(meterValue, findings, path)) {
    const fields = new Fields(item, findings, `${path}/*`)
    const { at, guessed } = fields.timestamp('timestamp', messageAt)
    const sampledPath = `${path}/*/sampledValue`
    const sent = toList(fields.raw('sampledValue') ?? [], findings, sampledPath)
    if (sent.length === 0) findings.add('samples-empty', sampledPath)
    const samples = sent
      .map((sample) => readSample(sample, wireType, findings, `${sampledPath}/*`))
      .filter((sample) => sample !== null)
    if (samples.length > 0) readings.push({ at, guessed, samples, sent })
  }
  return readings
}

/** @returns null when nothing can be made of the value */
function readSample(
  sample: Payload,
  wireType: 'text' | 'number',
  findings: Findings,
  path: string,
): SampleReading | null {
  const fields = new Fields(sample, findings, path)
  const measurand = fields.choice('measurand', measurands) || 'Energy.Active.Import.Register'
  const context = fields.choice('context', contexts) ?? 'Sample.Periodic'
  const reading: SampleReading = {
    measurand,
    phase: fields.choice('phase', phases) || null,
    location: fields.choice('location', locations) || 'Outlet',
    context: contexts.has(context) ? context : 'Other',
    value: null,
    number: null,
    unit: defaultUnitOf(measurand),
    signed: isObject(sample.signedMeterValue) ? sample.signedMeterValue : null,
  }
  if (typeof sample.format === 'string' && sample.format.toLowerCase() === 'signeddata') {
    reading.signed = { signedMeterData: sample.value }
    return reading
  }
  const value = readValue(sample.value, wireType, findings, `${path}/value`)
  if (value === null) return reading.signed ? reading : null
  const [unit, power] = readUnit(sample, measurand, findings, path)
  reading.unit = unit
  reading.value = shiftDecimal(value, power)
  reading.number = Number(reading.value)
  return reading
}

function readValue(value: unknown, wireType: 'text' | 'number', findings: Findings, path: string): Decimal | null {
  if (typeof value === 'number') {
    if (wireType === 'text') findings.add('value-type', path)
    const decimal = parseDecimal(String(value))
    if (decimal === null) findings.add('value-unreadable', path)
    return decimal
  }
  if (typeof value !== 'string') {
    findings.add(value === undefined ? 'field-missing' : 'value-type', path)
    return null
  }
  // A number of more digits than a double has arrives as its text, which is no fault of the station.
  if (wireType === 'number' && !/\d[\d.]{15}/.test(value)) findings.add('value-type', path)
  const text = value.trim()
  if (text === '') {
    findings.add('value-empty', path)
    return null
  }
  if (text.length !== value.length) findings.add('text-padded', path)
  const isCommaDecimal = text.includes(',') && /^[+-]?\d+,\d+$/.test(text)
  const decimal = parseDecimal(isCommaDecimal ? text.replace(',', '.') : text)
  if (decimal === null || isCommaDecimal) findings.add('value-unreadable', path)
  return decimal
}

/** The unit without prefix, and the power of ten that brings the value to it; 2.0.1's multiplier included. */
function readUnit(sample: Payload, measurand: string, findings: Findings, path: string): [string, number] {
  // 1.6 has a text; 2.0.1 an object; stations that mix the versions send one for the other.
  const unitOfMeasure = isObject(sample.unitOfMeasure) ? sample.unitOfMeasure : sample
  const fields = new Fields(unitOfMeasure, findings, path)
  const multiplier = fields.integer('multiplier') ?? 0
  const sent = fields.text('unit') || ''
  if (Math.abs(multiplier) > 30) findings.add('field-value', `${path}/multiplier`)
  const power = Math.abs(multiplier) > 30 ? 0 : multiplier
  const expected = defaultUnitOf(measurand)
  if (sent === '') return [expected, power]
  const spelling = Object.hasOwn(units, sent) ? sent : unitsByFoldedName.get(sent.toLowerCase())
  if (spelling !== sent) findings.add(spelling ? 'unit-spelling' : 'unit-unknown', `${path}/unit`)
  const known = spelling === undefined ? undefined : units[spelling]
  if (!known) return [sent, power]
  const [unit, prefixPower] = known
  if (expected === unit || hourOf[unit] !== expected) return [unit, power + prefixPower]
  findings.add('unit-mismatch', `${path}/unit`)
  return [expected, power + prefixPower]
}

function defaultUnitOf(measurand: string): string {
  return defaultUnitByMeasurand.get(measurand) ?? ''
}

/** The objects of a list; one object alone is taken for a list of one. */
function toList(value: unknown, findings: Findings, path: string): Payload[] {
  if (Array.isArray(value)) {
    const objects = value.filter(isObject)
    if (objects.length !== value.length) findings.add('field-type', path)
    return objects
  }
  findings.add('field-type', path)
  return isObject(value) ? [value] : []
}
