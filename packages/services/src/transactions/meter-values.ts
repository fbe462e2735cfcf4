import type { MeterValueReading, SampleReading } from '@busbar/ocpp'
import { isFarAhead, readingKey } from './keys.js'
import { type EnergySample, registerName } from './registers.js'
import { stationTime } from './wire.js'

/** One meterValue as it is kept: a row of meter_reading, and what it says of energy. */
export interface MeterValue {
  sampledAt: Date
  contentKey: string
  /** The sampledValue array as sent. */
  samples: unknown[]
  energy: EnergySample[]
}

/** @param ocppTransactionId as the station wrote it; null when the values belong to none */
export function toMeterValue(
  reading: MeterValueReading,
  ocppTransactionId: string | null,
  receivedAt: Date,
): MeterValue {
  const { at } = stationTime(reading, receivedAt)
  const time = readingTime(at, receivedAt)
  return {
    sampledAt: at,
    contentKey: readingKey(ocppTransactionId, reading.sent),
    samples: reading.sent,
    energy: reading.samples.flatMap((sample) => toEnergySample(sample, time) ?? []),
  }
}

/**
 * The time a reading is sorted by. A clock that lags keeps its order (it lags until it is set, and jumps forward);
 * one that runs ahead would make its reading the last for ever.
 */
export function readingTime(at: Date, receivedAt: Date): string {
  return (isFarAhead(at, receivedAt) ? receivedAt : at).toISOString()
}

const energyMeasurand = /^Energy\.(Active|Reactive|Apparent)\.(Import|Export|Net)(\.(Register|Interval))?$/
const energyUnits = new Set(['Wh', 'varh', 'VAh'])
const phases = new Set(['', 'N', 'L1', 'L2', 'L3', 'L1-N', 'L2-N', 'L3-N', 'L1-L2', 'L2-L3', 'L3-L1'])
const locations = new Set(['Body', 'Cable', 'EV', 'Inlet', 'Outlet', 'Upstream'])

/** @returns null when the sample measures no energy, is only signed, or comes in words of its own */
function toEnergySample(sample: SampleReading, at: string): EnergySample | null {
  const measurand = energyMeasurand.exec(sample.measurand)
  const phase = sample.phase ?? ''
  if (!measurand || sample.value === null || !energyUnits.has(sample.unit)) return null
  if (!phases.has(phase) || !locations.has(sample.location)) return null
  return {
    kind: measurand[4] === 'Interval' ? 'interval' : 'register',
    name: registerName(sample.measurand, phase, sample.location),
    reading: { at, wh: sample.value },
  }
}
