import { isLosslessNumber, parse as parseLossless } from 'lossless-json'
import { isObject } from './protocol.js'

/** The frame's own array counts as the first level. */
const maxDepth = 32

/** The text is not JSON, or nested too deeply; the message never quotes the text. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
}

export interface ParsedJson {
  /** Numbers a double cannot hold stand here as their text: integers anywhere, decimals where they are a reading. */
  value: unknown
  /** The same with every number as JSON.parse rounds it; only where that differs. */
  rounded?: unknown
}

/**
 * JSON.parse, except that nothing is lost and everything can be stored in Postgres: NUL and lone surrogates become
 * U+FFFD. `__proto__` is an ordinary property, of repeated keys the last counts.
 * @throws JsonError
 */
export function parseJson(text: string): ParsedJson {
  if (isDeeperThan(text, maxDepth)) throw new JsonError(`nested deeper than ${maxDepth} levels`)
  try {
    const parsed: ParsedJson = { value: JSON.parse(text) }
    if (/\d{16}/.test(text)) keepExact(text, parsed)
    if (/\\u(?:0000|d[89a-f])/i.test(text)) {
      parsed.value = storable(parsed.value)
      if (parsed.rounded !== undefined) parsed.rounded = storable(parsed.rounded)
    }
    return parsed
  } catch (cause) {
    throw new JsonError('not valid JSON', { cause })
  }
}

/** Counts brackets outside of strings, so that no recursive parser ever meets a text that exhausts the stack. */
function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === 0x22) {
      index = endOfString(text, index)
      if (index < 0) return false
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > limit) return true
    } else if (code === 0x5d || code === 0x7d) depth--
  }
  return false
}

/** Position of the quote that closes the string opened at `start`; -1 when none does. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end > 0) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  return -1
}

function keepExact(text: string, parsed: ParsedJson): void {
  let differs = false
  const exact = parseLossless(
    text,
    (key, value) => {
      if (!isLosslessNumber(value)) return value
      const digits = value.value
      const number = Number(digits)
      const isInteger = /^-?\d+$/.test(digits)
      // Only readings need their decimals exactly; a limit or an interval is computed with, as a number.
      const loses = isInteger ? !Number.isSafeInteger(number) : key === 'value' && String(number) !== digits
      if (!loses) return number
      differs = true
      return digits
    },
    { onDuplicateKey: ({ newValue }) => newValue },
  )
  if (!differs) return
  parsed.rounded = parsed.value
  parsed.value = exact
}

// NUL, which neither text nor jsonb of Postgres takes, and halves of surrogate pairs, which jsonb refuses.
// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what is looked for
const unstorable = /\u0000|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

function storable(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(unstorable, '\ufffd')
  if (Array.isArray(value)) return value.map(storable)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key.replace(unstorable, '\ufffd'), storable(member)]),
  )
}
