import type { Decimal, MeterValueReading, SampleReading } from '@busbar/ocpp'
import { isFarAhead, isPlausibleClock } from './keys.js'
import { type EnergySample, type RegisterReading, registerName } from './registers.js'
import { stationTime } from './wire.js'

/** One meterValue as it is kept: a row of meter_reading, and what it says of energy. */
export interface MeterValue {
  sampledAt: Date
  /** The sampledValue array as sent. */
  samples: unknown[]
  energy: EnergySample[]
}

export function toMeterValue(reading: MeterValueReading, receivedAt: Date): MeterValue {
  const { at } = stationTime(reading, receivedAt)
  return {
    sampledAt: at,
    samples: reading.sent,
    energy: reading.samples.flatMap((sample) => toEnergySample(sample, at, receivedAt) ?? []),
  }
}

/**
 * A reading with the time it is sorted by. A clock that lags keeps its order (it lags until it is set, and jumps forward);
 * one that runs ahead would make its reading the last for ever.
 */
export function toReading(wh: Decimal, at: Date, receivedAt: Date): RegisterReading {
  const time = isFarAhead(at, receivedAt) ? receivedAt : at
  const isSet = isPlausibleClock(time, receivedAt)
  return { at: time.toISOString(), wh, ...(!isSet && { receivedAt: receivedAt.toISOString() }) }
}

const energyMeasurand = /^Energy\.(Active|Reactive|Apparent)\.(Import|Export|Net)(\.(Register|Interval))?$/
const energyUnits = new Set(['Wh', 'varh', 'VAh'])
const phases = new Set(['', 'N', 'L1', 'L2', 'L3', 'L1-N', 'L2-N', 'L3-N', 'L1-L2', 'L2-L3', 'L3-L1'])
const locations = new Set(['Body', 'Cable', 'EV', 'Inlet', 'Outlet', 'Upstream'])

/** @returns null when the sample measures no energy, is only signed, or comes in words of its own */
function toEnergySample(sample: SampleReading, at: Date, receivedAt: Date): EnergySample | null {
  const measurand = energyMeasurand.exec(sample.measurand)
  const phase = sample.phase ?? ''
  if (!measurand || sample.value === null || !energyUnits.has(sample.unit)) return null
  if (!phases.has(phase) || !locations.has(sample.location)) return null
  return {
    kind: measurand[4] === 'Interval' ? 'interval' : 'register',
    name: registerName(sample.measurand, phase, sample.location),
    reading: toReading(sample.value, at, receivedAt),
  }
}
