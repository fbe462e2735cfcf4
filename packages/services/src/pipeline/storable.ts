/**
 * A text as Postgres takes it: text and jsonb hold neither U+0000 nor half a surrogate pair, and a station may send
 * both as JSON escapes.
 * @returns the text itself when nothing is wrong with it
 */
export function toStorableText(text: string): string {
  const withoutNul = text.includes('\0') ? text.replaceAll('\0', '') : text
  return withoutNul.replace(/\p{Surrogate}/gu, '\uFFFD')
}

/** The same for every string of a JSON value, names included. */
export function toStorable(value: unknown): unknown {
  if (typeof value === 'string') return toStorableText(value)
  if (Array.isArray(value)) return value.map(toStorable)
  if (typeof value !== 'object' || value === null) return value
  // fromEntries defines properties and never assigns them: `__proto__` stays a plain name.
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [toStorableText(name), toStorable(each)]))
}
