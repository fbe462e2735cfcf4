import { isObject } from '../protocol.js'
import { Fields } from './fields.js'
import { Findings, type Quirk } from './findings.js'
import { type MeterValueReading, readMeterValues } from './meter.js'

/** Everything a 2.0.1 MeterValues says. Those of a transaction come by TransactionEvent instead (J01). */
export interface MeterValues201Reading {
  /** 0 is the station's main meter; null when absent. */
  evseId: number | null
  meterValues: MeterValueReading[]
  violations: Quirk[]
}

/** Nothing is needed: a reading without an address is still evidence. @see OCPP 2.0.1 part 2 §1.32 */
export function readMeterValues201(payload: unknown, receivedAt: Date): MeterValues201Reading {
  const findings = new Findings()
  const fields = new Fields(isObject(payload) ? payload : {}, findings)
  for (const field of ['evseId', 'meterValue']) {
    if (!fields.has(field)) findings.add('field-missing', `/${field}`)
  }
  return {
    evseId: fields.integer('evseId'),
    meterValues: readMeterValues(fields.raw('meterValue'), 'number', receivedAt, findings, '/meterValue'),
    violations: findings.quirks,
  }
}
