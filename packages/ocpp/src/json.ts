import { isLosslessNumber, parse as parseLossless } from 'lossless-json'
import { isObject } from './protocol.js'

/** The frame's own array counts as the first level. */
const maxDepth = 32

/** A double holds every number of 15 digits. */
const longNumberLength = 16

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
  if (mayBeDeeperThan(text, maxDepth) && isDeeperThan(text, maxDepth))
    throw new JsonError(`nested deeper than ${maxDepth} levels`)
  try {
    const parsed: ParsedJson = { value: JSON.parse(text) }
    if (hasLongNumber(text)) keepExact(text, parsed)
    if (text.includes('\\u') && /\\u(?:0000|d[89a-f])/i.test(text)) {
      parsed.value = storable(parsed.value)
      if (parsed.rounded !== undefined) parsed.rounded = storable(parsed.rounded)
    }
    return parsed
  } catch (cause) {
    throw new JsonError('not valid JSON', { cause })
  }
}

/** Looks at every 16th character only, because a run of 16 covers one of them. The point counts as a digit. */
function hasLongNumber(text: string): boolean {
  for (let index = longNumberLength - 1; index < text.length; index += longNumberLength) {
    if (!isDigitOrPoint(text.charCodeAt(index))) continue
    let start = index
    while (start > 0 && isDigitOrPoint(text.charCodeAt(start - 1))) start--
    let end = index + 1
    while (isDigitOrPoint(text.charCodeAt(end))) end++
    if (end - start >= longNumberLength) return true
  }
  return false
}

function isDigitOrPoint(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2e
}

/** Whether there are brackets enough; nearly every message has too few and is spared the count of characters. */
function mayBeDeeperThan(text: string, limit: number): boolean {
  let found = 0
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++found > limit) return true
    }
  }
  return false
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
