import type { Headers } from '../ports/event-log.js'

/** A private character, followed by 0 for NUL and by 1 for itself. */
const mark = '\uE000'

/**
 * Headers as a JSON text, fit for jsonb. Postgres takes no NUL and no half of a surrogate pair there, and a station may send either
 * (in a messageId, say): the half becomes U+FFFD, as it does in Kafka's UTF-8, NUL is escaped.
 */
export function encodeHeaders(headers: Headers): string {
  const text = JSON.stringify(headers)
  // NUL and halves reach a JSON text only as \u.
  if (!text.includes('\\u') && !text.includes(mark)) return text
  return JSON.stringify(
    mapHeaders(headers, (part) =>
      Buffer.from(part).toString().replaceAll(mark, `${mark}1`).replaceAll('\0', `${mark}0`),
    ),
  )
}

/** Headers from a text of `encodeHeaders`. */
export function parseHeaders(text: string): Headers {
  const stored = JSON.parse(text) as Headers
  return text.includes(mark) ? decodeHeaders(stored) : stored
}

/** @param stored the parsed jsonb */
export function decodeHeaders(stored: Headers): Headers {
  const isEscaped = Object.entries(stored).some(([name, value]) => name.includes(mark) || value.includes(mark))
  if (!isEscaped) return stored
  return mapHeaders(stored, (part) => part.replaceAll(`${mark}0`, '\0').replaceAll(`${mark}1`, mark))
}

function mapHeaders(headers: Headers, map: (part: string) => string): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [map(name), map(value)]))
}
