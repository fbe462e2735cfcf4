import type { Decimal } from '../decimal.js'
import { isObject } from '../protocol.js'
import type { ReadTimestamp } from '../timestamp.js'
import { Fields } from './fields.js'
import { Findings, type Quirk } from './findings.js'

/** Everything a 1.6 StartTransaction says. */
export interface StartTransactionReading {
  connectorId: number
  /** As sent but for surrounding blanks; may be empty (free mode) or over 20 characters. */
  idTag: string
  /** The register, exact; integer unless the station sent otherwise. */
  meterStartWh: Decimal
  timestamp: ReadTimestamp
  reservationId: number | null
  violations: Quirk[]
}

/**
 * @throws MissingFieldsError (an OcppError) without connectorId, idTag or meterStart
 * @see OCPP 1.6 §6.45
 */
export function readStartTransaction16(payload: unknown, receivedAt: Date): StartTransactionReading {
  const findings = new Findings()
  const fields = new Fields(isObject(payload) ? payload : {}, findings)
  const reading = {
    connectorId: fields.needed('connectorId', fields.integer('connectorId'), 0),
    idTag: fields.needed('idTag', fields.text('idTag', 20), ''),
    meterStartWh: fields.needed('meterStart', fields.decimal('meterStart'), '0'),
    timestamp: fields.timestamp('timestamp', receivedAt),
    reservationId: fields.integer('reservationId'),
    violations: findings.quirks,
  }
  if (reading.idTag === '') findings.add('text-empty', '/idTag')
  findings.throwIfMissing()
  return reading
}
