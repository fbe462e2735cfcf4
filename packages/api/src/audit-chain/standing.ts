import { type Database, type Sql, sql, type Vault } from '@busbar/store'
import { type Link, startOfChain } from './chain.js'

export interface ChainPorts {
  database: Database
  vault: Pick<Vault, 'link'>
}

/** How far the chain goes, and whether it was found to be another one than was sealed. */
interface Note {
  /** What the next entry is linked to. */
  head: Link
  /** Where it was first found so; null while the chain holds. */
  brokenAt: bigint | null
}

export interface Standing extends Note {
  /** Whether what is told here stands in the database. */
  isNoted: boolean
  /** Of the note that was read; empty without one. */
  seal: Buffer
}

interface Row {
  position: bigint | null
  hash: Buffer | null
  brokenAt: bigint | null
  seal: Buffer | null
  lastPosition: bigint | null
  lastHash: Buffer | null
  hashOfKnown: Buffer | null
}

const selectStanding = sql(
  `SELECT c.position, c.hash, c.broken_at AS "brokenAt", c.seal, e.position AS "lastPosition", e.hash AS "lastHash",
     (SELECT hash FROM audit_entry WHERE position = $1::bigint) AS "hashOfKnown"
   FROM (VALUES (1)) AS one(id) LEFT JOIN audit_chain c USING (id)
   LEFT JOIN (
     SELECT position, hash FROM audit_entry WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1
   ) e ON true`,
)

/** True while nobody has replaced the note that was read. @param seal the parameter that holds its seal */
export const isAsRead = (seal: string): string =>
  `coalesce((SELECT seal FROM audit_chain WHERE id = 1), '') = ${seal}::bytea`

const upsertNote = sql(
  `INSERT INTO audit_chain (id, position, hash, broken_at, seal)
   SELECT 1, $1::bigint, $2::bytea, $3::bigint, $4::bytea WHERE ${isAsRead('$5')}
   ON CONFLICT (id) DO UPDATE SET
     position = excluded.position, hash = excluded.hash, broken_at = excluded.broken_at, seal = excluded.seal`,
)

/** Takes effect only while the note is as it was read. */
export function noteChain(vault: ChainPorts['vault'], { head, brokenAt, seal }: Omit<Standing, 'isNoted'>): Sql {
  return upsertNote(head.position, head.hash, brokenAt, sealOf(vault, { head, brokenAt }), seal)
}

/**
 * Holds the chain against its note, which is written in the commit that seals entries and cannot be made without the
 * master secret: an entry that was sealed and has its place no more is missed, though nothing is left of it.
 *
 * What was found broken stays so. The chain goes on behind the place that it is known to have reached: the gap stays.
 * @param known the last head that this process saw, which shows that an older note was put back
 * @throws UnavailableError
 */
export async function readStanding({ database, vault }: ChainPorts, known: Link = startOfChain): Promise<Standing> {
  const [row] = await database.query<Row>(selectStanding(known.position))
  const last = toLink(row?.lastPosition, row?.lastHash) ?? startOfChain
  const note = row ? toNote(vault, row) : null
  const seal = row?.seal ?? Buffer.alloc(0)
  const isKnown = known.position === 0n || row?.hashOfKnown?.equals(known.hash) === true
  if (!note && seal.length === 0 && last.position === 0n && isKnown) {
    return { head: startOfChain, brokenAt: null, isNoted: true, seal }
  }
  if (note && isSame(note.head, last) && isKnown) return { ...note, isNoted: true, seal }

  const trusted = note && note.head.position >= known.position ? note.head : known
  const { position, hash } = trusted.position === 0n ? last : trusted
  const [reached, missed] = last.position < position ? [position, last.position + 1n] : [last.position, position]
  const head = { position: reached, hash }
  return { head, brokenAt: note?.brokenAt ?? missed, isNoted: (note?.brokenAt ?? null) !== null, seal }
}

/** @returns null where there is none, or not one of ours */
function toNote(vault: ChainPorts['vault'], { position, hash, brokenAt, seal }: Row): Note | null {
  const head = toLink(position, hash)
  if (!head || !seal) return null
  const note = { head, brokenAt }
  return sealOf(vault, note).equals(seal) ? note : null
}

/** No entry has content that begins so: it would begin with a hash. */
function sealOf(vault: ChainPorts['vault'], { head, brokenAt }: Note): Buffer {
  return vault.link(JSON.stringify(['head', `${head.position}`, head.hash.toString('hex'), `${brokenAt ?? ''}`]))
}

const toLink = (position?: bigint | null, hash?: Buffer | null): Link | null =>
  position != null && hash ? { position, hash } : null

const isSame = (a: Link, b: Link) => a.position === b.position && a.hash.equals(b.hash)
