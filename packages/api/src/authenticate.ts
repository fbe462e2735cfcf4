import type { FastifyRequest } from 'fastify'
import { access, type Caller, isPublic } from './access.js'
import { AccessAudit } from './access-audit.js'
import type { Api } from './api.js'
import { hashKey } from './api-keys.js'
import type { KeyRing } from './key-ring.js'
import type { OidcTokens } from './oidc.js'
import type { ApiConfig, ApiPorts } from './ports.js'
import { ProblemError } from './problems.js'

const failuresMs = 60_000
const maxRefused = 10_000

/** Where proofs of identity are looked up. */
export interface Authorities {
  keys: KeyRing
  /** null where no issuer is configured. */
  tokens: OidcTokens | null
}

/** @returns who is behind a bearer token, null when it opens nothing. @throws UnavailableError */
export function findCaller({ keys, tokens }: Authorities, bearer: string): Promise<Caller | null> {
  return tokens && isJwt(bearer) ? tokens.find(bearer) : keys.find(bearer)
}

const isJwt = (text: string) => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)

/** Deny by default: what is not public needs a caller with a role that the access table names. */
export function authenticateAll(
  app: Api,
  config: Pick<ApiConfig, 'failuresPerMinutePerAddress'>,
  { database }: Pick<ApiPorts, 'database'>,
  authorities: Authorities,
): void {
  const audit = new AccessAudit(database)
  const refused = new RefusedKeys()
  const failures = app.createRateLimit({
    max: config.failuresPerMinutePerAddress,
    timeWindow: failuresMs,
    keyGenerator: (request: FastifyRequest) => request.ip,
  })
  app.decorateRequest('caller', null)
  app.addHook('onRequest', async (request) => {
    // No text of ours has one, and Postgres takes none.
    if (request.url.includes('%00')) throw new ProblemError(400, 'The address holds a NUL character.')
    const { url, method } = request.routeOptions
    if (request.is404 || url === undefined || isPublic(url)) return
    const endpoint = `${method} ${url}`
    const caller = await authenticate(request)
    request.caller = caller
    if (access[endpoint]?.some((role) => caller.roles.includes(role))) return
    await audit.denied(caller, endpoint)
    throw new ProblemError(403, `The role ${caller.roles.join(', ') || '(none)'} may not do this.`)
  })

  async function authenticate(request: FastifyRequest): Promise<Caller> {
    const bearer = findBearer(request)
    if (bearer === null) throw unauthorized('Send an API key or an access token: Authorization: Bearer <key>.')
    const known = await failures(request, { increment: false })
    if (!known.isAllowed && known.remaining === 0) {
      throw new ProblemError(429, 'Too many refused keys from this address.', {
        headers: { 'retry-after': String(known.ttlInSeconds) },
      })
    }
    const caller = await findCaller(authorities, bearer)
    if (caller) {
      await audit.cameIn(caller, bearer, request.ip)
      return caller
    }
    if (refused.isNew(request.ip, bearer)) await failures(request)
    throw unauthorized('The API key or access token is unknown, revoked or expired.')
  }
}

/**
 * What each address was refused with of late: whoever goes on with one key that was revoked guesses nothing, and must not
 * shut out all who share its address.
 */
class RefusedKeys {
  readonly #until = new Map<string, number>()

  isNew(address: string, bearer: string): boolean {
    const name = `${address} ${hashKey(bearer).toString('base64')}`
    const isKnown = (this.#until.get(name) ?? 0) > Date.now()
    this.#until.delete(name)
    this.#until.set(name, Date.now() + failuresMs)
    const [oldest] = this.#until.keys()
    if (oldest !== undefined && this.#until.size > maxRefused) this.#until.delete(oldest)
    return !isKnown
  }
}

/** @returns null when the request carries no bearer token */
export function findBearer(request: FastifyRequest): string | null {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null
}

export function unauthorized(detail: string): ProblemError {
  return new ProblemError(401, detail, { headers: { 'www-authenticate': 'Bearer realm="busbar"' } })
}

/** The caller of an authenticated endpoint. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw unauthorized('Send an API key or an access token: Authorization: Bearer <key>.')
  return request.caller
}
