import type { Database } from '@busbar/store'
import type { Caller, Role } from './access.js'
import { hashKey } from './api-keys.js'

const maxCached = 10_000

/**
 * Looks up keys, and remembers each answer for a few seconds, "no such key" included: a revoked key works that much
 * longer on other processes.
 */
export class KeyRing {
  readonly #database: Pick<Database, 'query'>
  readonly #cacheMs: number
  readonly #cached = new Map<string, { caller: Promise<Caller | null>; until: number }>()

  constructor(database: Pick<Database, 'query'>, cacheMs: number) {
    this.#database = database
    this.#cacheMs = cacheMs
  }

  /** @throws UnavailableError */
  async find(key: string): Promise<Caller | null> {
    const hash = hashKey(key)
    const name = hash.toString('base64')
    const known = this.#cached.get(name)
    if (known && known.until > Date.now()) return known.caller
    const caller = this.#read(hash)
    this.#remember(name, caller)
    return caller
  }

  forgetAll(): void {
    this.#cached.clear()
  }

  async #read(hash: Buffer): Promise<Caller | null> {
    const [caller] = await this.#database.query<Omit<Caller, 'roles'> & { role: Role }>({
      name: 'api_key_by_hash',
      text: `SELECT id, owner, is_limited AS "isLimited", name, role FROM api_key
             WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
      values: [hash],
    })
    if (!caller) return null
    const { role, ...rest } = caller
    return { ...rest, roles: [role] }
  }

  #remember(name: string, caller: Promise<Caller | null>): void {
    this.#cached.delete(name)
    const [oldest] = this.#cached.keys()
    if (oldest !== undefined && this.#cached.size >= maxCached) this.#cached.delete(oldest)
    const entry = { caller, until: Date.now() + this.#cacheMs }
    this.#cached.set(name, entry)
    // A failed look-up is no answer: the next request asks again.
    caller.catch(() => {
      if (this.#cached.get(name) === entry) this.#cached.delete(name)
    })
  }
}
