export { actionTable, findAction } from './actions/index.js'
export type { ActionRow, AnswerKind, SafeAnswerContext, StationFlags } from './actions/row.js'
export { normalizeCode, OcppError, type RpcErrorCode, toWireCode } from './errors.js'
export { callFrame, errorFrame, type Frame, parseFrame, resultFrame } from './frame.js'
export type { Json, MessageType, Payload, Protocol, Registration, ServiceName } from './protocol.js'
export type { MeterValueReading, SampleReading } from './readers/meter.js'
export { formatTimestamp, parseTimestamp, type ReadTimestamp } from './timestamp.js'
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
