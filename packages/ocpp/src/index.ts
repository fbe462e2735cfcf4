export { actionTable, findAction } from './actions/index.js'
export type { ActionRow, AnswerKind, SafeAnswerContext, StationFlags } from './actions/row.js'
export {
  addDecimals,
  compareDecimals,
  type Decimal,
  parseDecimal,
  roundDecimal,
  shiftDecimal,
  subtractDecimals,
} from './decimal.js'
export { normalizeCode, OcppError, type RpcErrorCode, toWireCode } from './errors.js'
export { callFrame, errorFrame, type Frame, parseFrame, resultFrame } from './frame.js'
export { findPreset, type Preset, presets, suggestPreset } from './presets.js'
export {
  type Dialect,
  type Json,
  type MessageType,
  type Payload,
  type Protocol,
  type Registration,
  type ServiceName,
  toDialect,
} from './protocol.js'
export { MissingFieldsError, type Quirk, type QuirkKind } from './readers/findings.js'
export type { MeterValueReading, SampleReading } from './readers/meter.js'
export { type MeterValues16Reading, readMeterValues16 } from './readers/meter-values-16.js'
export { type MeterValues201Reading, readMeterValues201 } from './readers/meter-values-201.js'
export { readStartTransaction16, type StartTransactionReading } from './readers/start-transaction-16.js'
export { readStopTransaction16, type StopTransactionReading } from './readers/stop-transaction-16.js'
export {
  type IdTokenReading,
  readTransactionEvent201,
  type TransactionEventReading,
} from './readers/transaction-event-201.js'
export { type Repaired, repairInbound } from './repair.js'
export { listSecrets, mapSecrets, maskTexts, redact, redactFrame, redactUrl } from './secrets.js'
export {
  type CompositePeriod,
  type CompositeRequest,
  connectorSchedule,
  type RateUnit,
  type ScheduledTransaction,
  stationSchedule,
} from './smart-charging/composite-schedule.js'
export { truncateLimit } from './smart-charging/limit.js'
export {
  type ChargingProfile16,
  isClearedBy,
  isReplacedBy,
  type PlacedProfile,
  sentProfile16,
} from './smart-charging/profile.js'
export { findSwitchFault, type StationSwitch, stationSwitches } from './switches.js'
export { formatTimestamp, lacksZone, parseTimestamp, type ReadTimestamp } from './timestamp.js'
export type {
  Requests,
  Requests16,
  Requests201,
  Responses,
  Responses16,
  Responses201,
  v16,
  v21,
  v201,
} from './types.js'
export { type Side, type Violation, validate } from './validate.js'
