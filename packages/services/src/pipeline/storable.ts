/**
 * A text as Postgres takes it: text and jsonb hold neither U+0000 nor half a surrogate pair, and a station may send
 * both as JSON escapes. They become U+FFFD, as in frames (ocpp does that).
 */
export function toStorableText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').replace(/\p{Surrogate}/gu, '\uFFFD')
}

/** The same for every string of a JSON value, names included. */
export function toStorable(value: unknown): unknown {
  if (typeof value === 'string') return toStorableText(value)
  if (Array.isArray(value)) return value.map(toStorable)
  if (typeof value !== 'object' || value === null) return value
  // fromEntries defines properties and never assigns them: `__proto__` stays a plain name.
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [toStorableText(name), toStorable(each)]))
}
