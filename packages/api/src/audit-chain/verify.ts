import { sql } from '@busbar/store'
import { type Link, linkTo, type SealableEntry, sealedColumns, startOfChain } from './chain.js'
import { type ChainPorts, readStanding } from './standing.js'

/** The first place where the chain does not hold. */
export interface Break {
  position: bigint
  /** null where the entry is gone. */
  entryId: bigint | null
  /**
   * missing: no entry has this place. changed: the entry, or its hash, is not what was sealed. not-as-noted: the chain
   * holds, but is another one than that of which the anchor was noted, or was found so before.
   */
  kind: 'missing' | 'changed' | 'not-as-noted'
}

export interface Verification {
  head: Link
  /** Entries not yet in the chain; sealing takes about a second. */
  unsealed: number
  broken: Break | null
}

const atOnce = 5_000

const selectSealed = sql(
  `SELECT position, hash, ${sealedColumns} FROM audit_entry WHERE position > $1 ORDER BY position LIMIT ${atOnce}`,
)
const countUnsealed = sql('SELECT count(*) AS count FROM audit_entry WHERE position IS NULL')

/**
 * Reckons the chain anew from its start to its end, or to the first break, and holds it against the head that Busbar noted.
 * @param anchor a head noted earlier, elsewhere: without one, a chain made anew together with that note does not show
 * @throws UnavailableError
 */
export async function verifyAudit(
  { database, vault }: ChainPorts,
  anchor: Link | null = null,
  isStopping: () => boolean = () => false,
): Promise<Verification> {
  const standing = await readStanding({ database, vault })
  const anchors = anchor ? [anchor, standing.head] : [standing.head]
  let head = startOfChain
  let broken: Break | null = null
  for (;;) {
    const entries = await database.query<SealableEntry & Link>(selectSealed(head.position))
    for (const entry of entries) {
      const link = linkTo(vault, head, entry)
      broken = findBreak(link, entry, anchors)
      if (broken) break
      head = link
    }
    if (broken || entries.length < atOnce || isStopping()) break
  }
  const [waiting] = await database.query<{ count: bigint }>(countUnsealed())
  if (!broken && anchors.some(({ position }) => position > head.position)) {
    broken = { position: head.position + 1n, entryId: null, kind: 'missing' }
  }
  if (!broken && standing.brokenAt !== null) {
    broken = { position: standing.brokenAt, entryId: null, kind: 'not-as-noted' }
  }
  return { head, unsealed: Number(waiting?.count ?? 0n), broken }
}

function findBreak({ position, hash }: Link, entry: SealableEntry & Link, anchors: readonly Link[]): Break | null {
  if (entry.position !== position) return { position, entryId: null, kind: 'missing' }
  if (!entry.hash.equals(hash)) return { position, entryId: entry.id, kind: 'changed' }
  const isAsNoted = anchors.every((anchor) => anchor.position !== position || anchor.hash.equals(hash))
  return isAsNoted ? null : { position, entryId: entry.id, kind: 'not-as-noted' }
}
