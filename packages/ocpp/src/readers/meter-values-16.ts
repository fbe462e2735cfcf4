import { isObject } from '../protocol.js'
import { Fields } from './fields.js'
import { Findings, type Quirk } from './findings.js'
import { type MeterValueReading, readMeterValues } from './meter.js'

/** Everything a 1.6 MeterValues says. */
export interface MeterValues16Reading {
  /** 0 is the station's main meter; null when absent. */
  connectorId: number | null
  /** null when absent: then the readings belong to what the connector charges at their time, if anything. */
  transactionId: string | null
  meterValues: MeterValueReading[]
  violations: Quirk[]
}

/** Nothing is needed: a reading without an address is still evidence. @see OCPP 1.6 §6.31 */
export function readMeterValues16(payload: unknown, receivedAt: Date): MeterValues16Reading {
  const findings = new Findings()
  const fields = new Fields(isObject(payload) ? payload : {}, findings)
  for (const field of ['connectorId', 'meterValue']) {
    if (!fields.has(field)) findings.add('field-missing', `/${field}`)
  }
  return {
    connectorId: fields.integer('connectorId'),
    transactionId: fields.id('transactionId', 'integer'),
    meterValues: readMeterValues(fields.raw('meterValue'), 'text', receivedAt, findings, '/meterValue'),
    violations: findings.quirks,
  }
}
