import type { Decimal } from '../decimal.js'
import { isObject } from '../protocol.js'
import type { ReadTimestamp } from '../timestamp.js'
import { Fields, names } from './fields.js'
import { Findings, type Quirk } from './findings.js'
import { type MeterValueReading, readMeterValues } from './meter.js'

/** Everything a 1.6 StopTransaction says. */
export interface StopTransactionReading {
  /** As text: -1, 0 and ids beyond 2^53 come from stations too. */
  transactionId: string
  /** The register, exact; integer unless the station sent otherwise. */
  meterStopWh: Decimal
  timestamp: ReadTimestamp
  /** null when absent, which is legal. */
  idTag: string | null
  /** Local when absent (1.6 §6.49); Other when unknown. */
  reason: string
  /** transactionData */
  meterValues: MeterValueReading[]
  violations: Quirk[]
}

const reasons = names([
  'DeAuthorized',
  'EmergencyStop',
  'EVDisconnected',
  'HardReset',
  'Local',
  'Other',
  'PowerLoss',
  'Reboot',
  'Remote',
  'SoftReset',
  'UnlockCommand',
])

/**
 * @throws MissingFieldsError (an OcppError) without transactionId or meterStop
 * @see OCPP 1.6 §6.49
 */
export function readStopTransaction16(payload: unknown, receivedAt: Date): StopTransactionReading {
  const findings = new Findings()
  const fields = new Fields(isObject(payload) ? payload : {}, findings)
  const reason = fields.choice('reason', reasons) ?? 'Local'
  const timestamp = fields.timestamp('timestamp', receivedAt)
  const reading = {
    transactionId: fields.needed('transactionId', fields.id('transactionId', 'integer'), ''),
    meterStopWh: fields.needed('meterStop', fields.decimal('meterStop'), '0'),
    timestamp,
    idTag: fields.text('idTag', 20),
    reason: reasons.has(reason.toLowerCase()) ? reason : 'Other',
    meterValues: readMeterValues(fields.raw('transactionData'), 'text', timestamp.at, findings, '/transactionData'),
    violations: findings.quirks,
  }
  findings.throwIfMissing()
  return reading
}
