import type { IHeaders } from 'kafkajs'
import type { Headers } from '../ports/event-log.js'
import { encodeHeaders, parseHeaders } from '../shared/headers.js'

/** Holds all headers of a record as one JSON object. */
const packedName = 'busbar'

export function packHeaders(headers: Headers): IHeaders {
  return { [packedName]: encodeHeaders(headers) }
}

/** Packed ones, and those of foreign writers, which count where both name the same. */
export function readHeaders(sent: IHeaders = {}): Headers {
  let headers: Headers = {}
  for (const name in sent) {
    const value = sent[name]
    // A foreign writer may repeat a header; the last one counts.
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last === undefined) continue
    const text = last.toString()
    const packed = name === packedName ? unpack(text) : null
    if (packed) headers = Object.assign(packed, headers)
    else headers[name] = text
  }
  return headers
}

/** @returns null for a header of that name that is not ours */
function unpack(text: string): Headers | null {
  try {
    const headers: unknown = parseHeaders(text)
    return isHeaders(headers) ? headers : null
  } catch (cause) {
    if (cause instanceof SyntaxError) return null
    throw cause
  }
}

function isHeaders(value: unknown): value is Headers {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((part) => typeof part === 'string')
}
