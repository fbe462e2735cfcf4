import { isObject } from '../protocol.js'
import type { ReadTimestamp } from '../timestamp.js'
import { Fields, names } from './fields.js'
import { Findings, type Quirk } from './findings.js'
import { type MeterValueReading, readMeterValues } from './meter.js'

export interface IdTokenReading {
  /** As sent but for surrounding blanks; '' for NoAuthorization, and when it cannot be read. */
  value: string
  /** As sent; null when absent. */
  type: string | null
}

/** Everything a 2.0.1 TransactionEvent says. */
export interface TransactionEventReading {
  eventType: 'Started' | 'Updated' | 'Ended'
  transactionId: string
  seqNo: number
  timestamp: ReadTimestamp
  /** null when absent, which 2.0.1 does not allow and stations do. */
  triggerReason: string | null
  /** The event happened while the station had no connection. */
  offline: boolean
  chargingState: string | null
  stoppedReason: string | null
  remoteStartId: number | null
  timeSpentChargingSeconds: number | null
  reservationId: number | null
  numberOfPhasesUsed: number | null
  cableMaxCurrentA: number | null
  evseId: number | null
  /** Of the EVSE; null when absent. */
  connectorId: number | null
  /** Not null exactly when the event carried a token, readable or not: then the answer carries idTokenInfo. */
  idToken: IdTokenReading | null
  meterValues: MeterValueReading[]
  violations: Quirk[]
}

const eventTypes = names(['Started', 'Updated', 'Ended'])
const chargingStates = names(['Charging', 'EVConnected', 'SuspendedEV', 'SuspendedEVSE', 'Idle'])

/**
 * @throws MissingFieldsError (an OcppError) without eventType, seqNo or transactionInfo.transactionId
 * @see OCPP 2.0.1 part 2 §1.60 TransactionEvent
 */
export function readTransactionEvent201(payload: unknown, receivedAt: Date): TransactionEventReading {
  const findings = new Findings()
  const fields = new Fields(isObject(payload) ? payload : {}, findings)
  const transaction = part(fields, 'transactionInfo', findings)
  const evse = part(fields, 'evse', findings)
  const eventType = fields.choice('eventType', eventTypes)
  for (const field of ['triggerReason', 'transactionInfo']) {
    if (!fields.has(field)) findings.add('field-missing', `/${field}`)
  }
  const timestamp = fields.timestamp('timestamp', receivedAt)
  const reading = {
    eventType: fields.needed('eventType', isEventType(eventType) ? eventType : null, 'Updated'),
    transactionId: transaction.needed('transactionId', transaction.id('transactionId', 'text', 36), ''),
    seqNo: fields.needed('seqNo', fields.integer('seqNo'), 0),
    timestamp,
    triggerReason: fields.text('triggerReason') || null,
    offline: fields.boolean('offline') ?? false,
    chargingState: transaction.choice('chargingState', chargingStates) || null,
    stoppedReason: transaction.text('stoppedReason') || null,
    remoteStartId: transaction.integer('remoteStartId'),
    timeSpentChargingSeconds: transaction.integer('timeSpentCharging'),
    reservationId: fields.integer('reservationId'),
    numberOfPhasesUsed: fields.integer('numberOfPhasesUsed'),
    cableMaxCurrentA: fields.number('cableMaxCurrent'),
    evseId: evse.integer('id'),
    connectorId: evse.integer('connectorId'),
    idToken: readIdToken(fields, findings),
    // A reading whose time is unreadable is as old as its event, which may have waited at the station for days.
    meterValues: readMeterValues(fields.raw('meterValue'), 'number', timestamp.at, findings, '/meterValue'),
    violations: findings.quirks,
  }
  findings.throwIfMissing()
  return reading
}

function isEventType(text: string | null): text is TransactionEventReading['eventType'] {
  return text !== null && eventTypes.get(text.toLowerCase()) === text
}

function readIdToken(fields: Fields, findings: Findings): IdTokenReading | null {
  if (!fields.has('idToken')) return null
  // The bare text is how 1.6 sends a token; firmware that mixes the versions does so over 2.0.1.
  if (typeof fields.raw('idToken') === 'string') {
    findings.add('field-type', '/idToken')
    return { value: fields.text('idToken') ?? '', type: null }
  }
  const token = part(fields, 'idToken', findings)
  for (const field of ['idToken', 'type']) {
    if (!token.has(field)) findings.add('field-missing', `/idToken/${field}`)
  }
  return { value: token.text('idToken', 36) ?? '', type: token.text('type') || null }
}

/** The fields of a nested object; none when it is absent or something else. */
function part(fields: Fields, field: string, findings: Findings): Fields {
  const value = fields.raw(field)
  if (value !== undefined && !isObject(value)) findings.add('field-type', `/${field}`)
  return new Fields(isObject(value) ? value : {}, findings, `/${field}`)
}
