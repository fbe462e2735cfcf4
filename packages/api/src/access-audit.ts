import { createHash } from 'node:crypto'
import type { Database, Sql } from '@busbar/store'
import type { Caller } from './access.js'
import { actorOf, auditStatement } from './audit.js'

const maxTold = 10_000
const denialsEveryMs = 600_000

/** Who came in with a token and who was turned away, in the audit log: once, not for every request. */
export class AccessAudit {
  readonly #database: Pick<Database, 'commit'>
  /** What was told, and until when it needs not be told again. */
  readonly #told = new Map<string, number>()

  constructor(database: Pick<Database, 'commit'>) {
    this.#database = database
  }

  /** One entry per caller and endpoint in ten minutes. @throws UnavailableError */
  async denied(caller: Caller, endpoint: string): Promise<void> {
    const details = { roles: caller.roles }
    const draft = { actor: actorOf(caller), action: 'access.deny', targetType: 'endpoint', targetId: endpoint, details }
    await this.#once(`deny ${caller.id} ${endpoint}`, Date.now() + denialsEveryMs, auditStatement(draft))
  }

  /**
   * One entry per access token, however many processes see it; an API key is used by programs, all day.
   * @throws UnavailableError
   */
  async cameIn(caller: Caller, token: string, address: string): Promise<void> {
    if (caller.expiresAt === undefined) return
    const targetId = createHash('sha256').update(token).digest('hex')
    const details = { subject: caller.id, roles: caller.roles, expiresAt: caller.expiresAt.toISOString(), address }
    const draft = { actor: actorOf(caller), action: 'login.oidc', targetType: 'login', targetId, details }
    const condition = `WHERE NOT EXISTS (SELECT FROM audit_entry WHERE target_type = 'login' AND target_id = $6)`
    const statement = auditStatement(draft, { text: condition, values: [targetId] })
    await this.#once(`login ${targetId}`, caller.expiresAt.getTime(), statement)
  }

  async #once(what: string, until: number, entry: Sql): Promise<void> {
    if ((this.#told.get(what) ?? 0) > Date.now()) return
    this.#told.delete(what)
    this.#told.set(what, until)
    try {
      await this.#database.commit([entry])
    } catch (cause) {
      this.#told.delete(what)
      throw cause
    }
    const [oldest] = this.#told.keys()
    if (oldest !== undefined && this.#told.size > maxTold) this.#told.delete(oldest)
  }
}
