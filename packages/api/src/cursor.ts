import { z } from 'zod'
import { ProblemError } from './problems.js'

const maxPageSize = 200

/** Query parameters of every list. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(maxPageSize).default(50),
  cursor: z.string().max(1_000).optional().describe('`nextCursor` of the page before'),
})

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    nextCursor: z.string().nullable().describe('For the next page; null on the last'),
  })
}

/** The key of a page's last row; opaque to the caller. */
function toCursor(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

/**
 * @returns null when there is no cursor: the first page
 * @throws ProblemError 400 for a cursor that none of ours looks like
 */
export function parseCursor<Key extends z.ZodType>(cursor: string | undefined, key: Key): z.infer<Key> | null {
  if (cursor === undefined) return null
  const parsed = key.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString()))
  if (parsed.success) return parsed.data
  throw new ProblemError(400, 'The cursor is not one that this list gave.', {
    faults: [{ detail: 'not a cursor of this list', parameter: 'cursor' }],
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Takes one row more than a page holds, which tells whether another page follows. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
  toKey: (row: Row) => readonly (string | number)[],
): { items: Item[]; nextCursor: string | null } {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { items: page.map(toItem), nextCursor: last && rows.length > limit ? toCursor(toKey(last)) : null }
}
