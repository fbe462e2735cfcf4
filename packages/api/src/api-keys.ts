import { createHash, randomBytes } from 'node:crypto'
import { type Database, newId, type Sql } from '@busbar/store'
import type { Role } from './access.js'
import { auditStatement } from './audit.js'

/** Chosen at random, so that concurrent first starts agree on one key. */
const firstKeyLock = 7_305_211_944

export interface NewApiKey {
  id: string
  /** Shown once; the database holds its hash only. */
  key: string
}

export interface ApiKeyDraft {
  name: string
  role: Role
  expiresAt?: Date | null
  /** The person or program behind it, as in `Caller`; without one the key is its own. */
  owner?: string
  /** As in `Caller`: for a key in the hands of a person. */
  isLimited?: boolean
  /** For the audit log: who made it. */
  actor?: string
}

export function hashKey(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** @throws UnavailableError */
export async function createApiKey(database: Database, draft: ApiKeyDraft): Promise<NewApiKey> {
  const { created, statements } = draftKey(draft)
  await database.commit(statements)
  return created
}

/**
 * An admin key for a system that has none, so that a new operator can begin.
 * @returns null when a key was ever made, revoked ones included
 * @throws UnavailableError
 */
export async function createFirstApiKey(database: Database): Promise<NewApiKey | null> {
  const { created, statements } = draftKey({ name: 'first', role: 'admin' }, 'WHERE NOT EXISTS (SELECT FROM api_key)')
  const [, inserted] = await database.commit([
    { text: 'SELECT pg_advisory_xact_lock($1)', values: [firstKeyLock] },
    ...statements,
  ])
  return inserted?.length ? created : null
}

function draftKey(
  { name, role, expiresAt = null, owner, isLimited = false, actor = 'console' }: ApiKeyDraft,
  condition = '',
) {
  const created = { id: newId(), key: `busbar_${randomBytes(32).toString('base64url')}` }
  const insert: Sql = {
    text: `INSERT INTO api_key (id, name, hash, role, expires_at, owner, is_limited)
           SELECT $1::uuid, $2, $3, $4, $5::timestamptz, $6, $7::boolean ${condition} RETURNING id`,
    values: [created.id, name, hashKey(created.key), role, expiresAt, owner ?? created.id, isLimited],
  }
  const audit = auditStatement(
    { actor, action: 'api-key.create', targetType: 'api-key', targetId: created.id, details: { name, role } },
    { text: 'WHERE EXISTS (SELECT FROM api_key WHERE id = $6::uuid)', values: [created.id] },
  )
  return { created, statements: [insert, audit] }
}

/**
 * The key opens nothing any more, here at once and on other processes within seconds.
 * @returns false when no key in force has this id
 * @throws UnavailableError
 */
export async function revokeApiKey(
  database: Database,
  { id, actor = 'console' }: { id: string; actor?: string },
): Promise<boolean> {
  const revoked = await database.query({
    text: `
      WITH revoked AS (UPDATE api_key SET revoked_at = now() WHERE id = $3 AND revoked_at IS NULL RETURNING name)
      INSERT INTO audit_entry (actor, action, target_type, target_id, details)
      SELECT $2, 'api-key.revoke', 'api-key', $1, jsonb_build_object('name', name) FROM revoked RETURNING id`,
    values: [id, actor, id],
  })
  return revoked.length === 1
}
