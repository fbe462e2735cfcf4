import type { Vault } from '@busbar/store'

/** An entry as Postgres shows it; details stay a text, so that no digit of theirs is lost on the way. */
export interface SealableEntry {
  id: bigint
  at: Date
  actor: string
  action: string
  targetType: string
  targetId: string
  details: string
}

/** Place and hash of a sealed entry. Whoever notes one elsewhere notices later that entries up to it went missing. */
export interface Link {
  position: bigint
  hash: Buffer
}

export const startOfChain: Link = { position: 0n, hash: Buffer.alloc(32) }

/** Columns of `SealableEntry`. */
export const sealedColumns = `id, at, actor, action, target_type AS "targetType", target_id AS "targetId", details::text AS details`

/**
 * The link of an entry: a hash over it, its place and the hash of the entry before it. Its key is made of the master
 * secret, so nobody who can only write to the database can make a chain that holds.
 */
export function linkTo(vault: Pick<Vault, 'link'>, before: Link, entry: SealableEntry): Link {
  const position = before.position + 1n
  const { id, at, actor, action, targetType, targetId, details } = entry
  const content = [before.hash.toString('hex'), position, id, at.toISOString()].map(String)
  return { position, hash: vault.link(JSON.stringify([...content, actor, action, targetType, targetId, details])) }
}

/** @param text `<position>:<hash in hex>`. @returns null for anything else */
export function parseAnchor(text: string): Link | null {
  const [, position, hash] = /^(\d{1,18}):([0-9a-f]{64})$/i.exec(text.trim()) ?? []
  return position === undefined || hash === undefined
    ? null
    : { position: BigInt(position), hash: Buffer.from(hash, 'hex') }
}

export function formatAnchor({ position, hash }: Link): string {
  return `${position}:${hash.toString('hex')}`
}
