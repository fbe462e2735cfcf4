import { normalizeCode, OcppError, type RpcErrorCode, toWireCode } from './errors.js'
import { JsonError, type ParsedJson, parseJson } from './json.js'
import { isObject, type Payload, type Protocol } from './protocol.js'
import { rememberRounded } from './rounded.js'

/** One message of OCPP-J (1.6-J §4.2; 2.0.1 part 4 §4.2; 2.1 part 4 §4.2.4 and §4.2.5). */
export type Frame =
  | { kind: 'call'; messageId: string; action: string; payload: Payload }
  | { kind: 'result'; messageId: string; payload: Payload }
  /** `code` in the spelling of 2.0.1. Also stands for an answer that could not be read: it ends its call. */
  | { kind: 'error'; messageId: string; code: string; description: string; details: Payload }
  /** 2.1 only: the station could not make use of our answer. */
  | { kind: 'resultError'; messageId: string; code: string; description: string; details: Payload }
  /** 2.1 only: a message that is never answered. */
  | { kind: 'send'; messageId: string; action: string; payload: Payload }
  /** Nothing to do and nothing to say: a message type 1.6 does not know, an answer without a readable id. */
  | { kind: 'ignored'; reason: string }

/** Stands for an id that could not be read (OCPP 2.0.1 part 4 §4.2.3). */
const unreadableId = '-1'

/**
 * Longest message id let in, in characters. The texts say 36; 1.6 stations exceed it, and refusing them would cost
 * their readings, while 2.0.1 counts it among the invalid calls (part 4 §4.2.3).
 */
const maxIdLength: Record<Protocol, number> = { 'ocpp1.6': 255, 'ocpp2.0.1': 36, 'ocpp2.1': 36 }

const maxDescriptionLength = 255

/**
 * Reads one text off the socket. Tolerated: null for an empty payload, an answer without a payload, a CALLERROR of 2 to
 * 4 elements. Integers beyond 2^53 arrive as their text; `validate` still takes them for numbers.
 *
 * @throws OcppError when the station has to be told: RpcFrameworkError (no valid call), FormatViolation (payload is no
 *   object), MessageTypeNotSupported (2.0.1 and up); never for an answer, because answers are not answered
 */
export function parseFrame(text: string, protocol: Protocol): Frame {
  let parsed: ParsedJson
  try {
    parsed = parseJson(text)
  } catch (cause) {
    if (cause instanceof JsonError) return toBrokenFrame(text, protocol, cause)
    throw cause
  }
  const elements = parsed.value
  if (!Array.isArray(elements)) throw rpcError(unreadableId, 'The message is not a JSON array')
  if (Array.isArray(parsed.rounded)) {
    for (const [index, element] of elements.entries()) {
      if (isObject(element)) rememberRounded(element, parsed.rounded[index])
    }
  }
  const type: unknown = elements[0]
  if (type === 2) return toCall(elements, protocol)
  if (type === 3) return toResult(elements)
  if (type === 4) return toError('error', elements)
  if (type === 5 && protocol === 'ocpp2.1') return toError('resultError', elements)
  if (type === 6 && protocol === 'ocpp2.1') return toSend(elements)
  if (typeof type !== 'number') throw rpcError(readableId(elements), 'The message type is not a number')
  if (protocol === 'ocpp1.6') return { kind: 'ignored', reason: 'unknown message type' }
  throw new OcppError('MessageTypeNotSupported', 'Only CALL, CALLRESULT and CALLERROR are supported', {
    messageId: readableId(elements),
  })
}

export function callFrame(messageId: string, action: string, payload: Payload): string {
  return JSON.stringify([2, messageId, action, payload])
}

export function resultFrame(messageId: string, payload: Payload): string {
  return JSON.stringify([3, messageId, payload])
}

/** Applies the version's spelling and the limit of 255 characters on the description. */
export function errorFrame(
  protocol: Protocol,
  messageId: string,
  error: { code: RpcErrorCode; message: string; details?: Payload },
): string {
  const description = error.message.slice(0, maxDescriptionLength)
  return JSON.stringify([4, messageId, toWireCode(error.code, protocol), description, error.details ?? {}])
}

function toCall(elements: unknown[], protocol: Protocol): Frame {
  const messageId = readableId(elements)
  if (messageId === unreadableId) throw rpcError(messageId, 'The message id is not a text')
  if (messageId.length > maxIdLength[protocol]) {
    throw rpcError(messageId, `The message id is longer than ${maxIdLength[protocol]} characters`)
  }
  const [, , action, payload] = elements
  if (elements.length !== 4) throw rpcError(messageId, 'A CALL has four elements')
  if (typeof action !== 'string') throw rpcError(messageId, 'The action is not a text')
  if (payload === null) return { kind: 'call', messageId, action, payload: {} }
  if (isObject(payload)) return { kind: 'call', messageId, action, payload }
  throw new OcppError('FormatViolation', 'The payload is not a JSON object', { messageId })
}

function toResult(elements: unknown[]): Frame {
  const messageId = readableId(elements)
  if (messageId === unreadableId) return { kind: 'ignored', reason: 'answer without a message id' }
  const payload = elements[2] ?? {}
  if (isObject(payload)) return { kind: 'result', messageId, payload }
  return unreadableAnswer(messageId, 'The payload of the answer is not a JSON object')
}

function toError(kind: 'error' | 'resultError', elements: unknown[]): Frame {
  const messageId = readableId(elements)
  if (messageId === unreadableId) return { kind: 'ignored', reason: 'error without a message id' }
  const [, , code, description, details] = elements
  return {
    kind,
    messageId,
    code: typeof code === 'string' && code !== '' ? normalizeCode(code) : 'GenericError',
    description: typeof description === 'string' ? description : '',
    details: isObject(details) ? details : {},
  }
}

function toSend(elements: unknown[]): Frame {
  const messageId = readableId(elements)
  const [, , action, payload] = elements
  if (typeof action !== 'string' || !isObject(payload)) return { kind: 'ignored', reason: 'malformed SEND' }
  return { kind: 'send', messageId, action, payload }
}

/** What can still be made of a text that is not JSON: its answer, or the end of the call it answers. */
function toBrokenFrame(text: string, protocol: Protocol, cause: JsonError): Frame {
  const head = /^\s*\[\s*(\d+)\s*,\s*"([^"\\]{1,255})"\s*,/.exec(text)
  const type = /^\s*\[\s*(\d+)\s*,/.exec(text)?.[1]
  const messageId = head?.[2] ?? unreadableId
  if (type === '3' || type === '4') {
    if (messageId === unreadableId) return { kind: 'ignored', reason: `answer is ${cause.message}` }
    return unreadableAnswer(messageId, `The answer is ${cause.message}`)
  }
  if (protocol === 'ocpp2.1' && (type === '5' || type === '6')) return { kind: 'ignored', reason: cause.message }
  throw rpcError(messageId, `The message is ${cause.message}`, cause)
}

function unreadableAnswer(messageId: string, description: string): Frame {
  return { kind: 'error', messageId, code: 'FormatViolation', description, details: {} }
}

function readableId(elements: unknown[]): string {
  const id = elements[1]
  return typeof id === 'string' && id.length > 0 && id.length <= 255 ? id : unreadableId
}

function rpcError(messageId: string, message: string, cause?: unknown): OcppError {
  return new OcppError('RpcFrameworkError', message, { messageId, cause })
}
