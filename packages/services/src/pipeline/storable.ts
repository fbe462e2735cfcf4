/**
 * A text as Postgres takes it: text and jsonb hold neither U+0000 nor half a surrogate pair, and a station may send
 * both as JSON escapes. They become U+FFFD, as in frames (ocpp does that).
 */
export function toStorableText(text: string): string {
  if (isPlain(text)) return text
  return text.replaceAll('\0', '\uFFFD').replace(/\p{Surrogate}/gu, '\uFFFD')
}

/** The same for every string of a JSON value, names included; the very value when there is nothing to replace. */
export function toStorable(value: unknown): unknown {
  return hasOnlyPlain(value) ? value : rebuild(value)
}

function rebuild(value: unknown): unknown {
  if (typeof value === 'string') return toStorableText(value)
  if (Array.isArray(value)) return value.map(rebuild)
  if (typeof value !== 'object' || value === null) return value
  // fromEntries defines properties and never assigns them: `__proto__` stays a plain name.
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [toStorableText(name), rebuild(each)]))
}

// Looked at for each header of each record: most have nothing to replace, and a copy would cost more than the look.
function hasOnlyPlain(value: unknown): boolean {
  if (typeof value === 'string') return isPlain(value)
  if (typeof value !== 'object' || value === null) return true
  for (const name in value) {
    if (!isPlain(name) || !hasOnlyPlain((value as Record<string, unknown>)[name])) return false
  }
  return true
}

/** Without NUL and without surrogates, paired ones included. */
const isPlain = (text: string) => !text.includes('\0') && !/[\ud800-\udfff]/.test(text)
