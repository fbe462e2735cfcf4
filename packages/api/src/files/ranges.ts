/** Bytes of a file; both ends belong to it. */
export interface ByteRange {
  first: number
  last: number
}

/**
 * Reads a Range header (RFC 9110 §14.2).
 * @returns null for the whole file: no header, several ranges, or one we do not understand
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  const [, first = '', last = ''] = match ?? []
  if (first === '' && last === '') return null
  const range =
    first === ''
      ? { first: Math.max(0, size - Number(last)), last: size - 1 }
      : { first: Number(first), last: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null
  return range.first <= range.last ? range : 'unsatisfiable'
}

/**
 * Reads a Content-Range header of a piece that is sent (RFC 9110 §14.4).
 * @returns total: null where the sender does not know it yet; 'invalid' for a header that says nothing of use
 */
export function parseContentRange(
  header: string | undefined,
): (ByteRange & { total: number | null }) | 'invalid' | null {
  if (header === undefined) return null
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(header.trim())
  if (!match) return 'invalid'
  const [first, last] = [Number(match[1]), Number(match[2])]
  const total = match[3] === '*' ? null : Number(match[3])
  return last < first || (total !== null && last >= total) ? 'invalid' : { first, last, total }
}
