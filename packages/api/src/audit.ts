import type { Sql } from '@busbar/store'
import type { Caller } from './access.js'

export interface AuditDraft {
  actor: string
  /** "station.create", "command.send", ... */
  action: string
  targetType: string
  targetId: string
  /** Never a secret. */
  details: object
}

/** @param condition - a WHERE clause whose parameters begin at $6 */
export function auditStatement(draft: AuditDraft, condition: Sql = { text: '', values: [] }): Sql {
  return {
    text: `INSERT INTO audit_entry (actor, action, target_type, target_id, details) SELECT $1, $2, $3, $4, $5::jsonb ${condition.text}`,
    values: [
      draft.actor,
      draft.action,
      draft.targetType,
      draft.targetId,
      JSON.stringify(draft.details),
      ...condition.values,
    ],
  }
}

/** One entry for each of the targets. */
export function auditEach(
  { actor, action, targetType, details }: Omit<AuditDraft, 'targetId'>,
  targetIds: readonly string[],
): Sql {
  return {
    text: `INSERT INTO audit_entry (actor, action, target_type, target_id, details)
           SELECT $1, $2, $3, target, $5::jsonb FROM unnest($4::text[]) WITH ORDINALITY AS t(target, position) ORDER BY position`,
    values: [actor, action, targetType, targetIds, JSON.stringify(details)],
  }
}

/** Name for the reader, id for the proof. */
export function actorOf(caller: Caller): string {
  return `${caller.name}/${caller.id}`
}

/** What a mutation of `targetType` leaves behind, as the row of one audit entry. */
export function audited(caller: Caller, action: string, targetId: string, details: object = {}) {
  const [targetType = action] = action.split('.')
  return { actor: actorOf(caller), action, targetType, targetId, details }
}
