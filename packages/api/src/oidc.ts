import { UnavailableError } from '@busbar/store'
import { createRemoteJWKSet, customFetch, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { z } from 'zod'
import { type Caller, isApiRole, type Role } from './access.js'

/** Whose access tokens count, and what they say about roles. */
export interface OidcConfig {
  /** As the tokens spell it in `iss`; it says where its keys are. */
  issuer: string
  /** One of the `aud` of a token has to be this. */
  audience: string
  /** The claim that holds roles: its name, or a path through objects, with dots: `realm_access.roles`. */
  roleClaim: string
  /** What a value of that claim means here; null: roles are called there as they are here. */
  roles: Readonly<Record<string, Role>> | null
  /** Public-key signatures only. */
  algorithms: readonly OidcAlgorithm[]
  clockToleranceSeconds: number
  /** Between two requests for the issuer's keys, when a token names one that is not known. */
  keysCooldownMs: number
}

export const oidcAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const
export type OidcAlgorithm = (typeof oidcAlgorithms)[number]

const requestTimeoutMs = 5_000
const keysMaxAgeMs = 600_000
/** After the issuer could not be asked. */
const pauseMs = 2_000

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.url() })

const Claims = z.object({
  sub: z.string().min(1).max(255),
  exp: z.number(),
  name: z.string().optional().catch(undefined),
  preferred_username: z.string().optional().catch(undefined),
  email: z.string().optional().catch(undefined),
})

/**
 * Reads access tokens of one issuer. Its keys are fetched when first needed and kept for ten minutes; a token with a key
 * that is not known makes them be fetched anew, so a rotation is followed at once.
 */
export class OidcTokens {
  readonly #config: OidcConfig
  #keys: Promise<JWTVerifyGetKey> | null = null
  #pauseUntil = 0

  constructor(config: OidcConfig) {
    this.#config = config
  }

  /**
   * @returns null for a token that proves nothing here: of another issuer or audience, expired, wrongly signed
   * @throws UnavailableError when the issuer's keys are needed and cannot be had
   */
  async find(token: string): Promise<Caller | null> {
    const { issuer, audience, algorithms, clockToleranceSeconds } = this.#config
    try {
      const { payload } = await jwtVerify(token, await this.#keySet(), {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['sub', 'exp'],
      })
      return toCaller(payload, this.#config)
    } catch (cause) {
      if (cause instanceof UnavailableError || isFaultOfIssuer(cause)) throw toUnavailable(cause)
      if (cause instanceof errors.JOSEError) return null
      throw cause
    }
  }

  #keySet(): Promise<JWTVerifyGetKey> {
    if (Date.now() < this.#pauseUntil)
      return Promise.reject(new UnavailableError('The issuer could not be asked just now'))
    this.#keys ??= discover(this.#config).catch((cause: unknown) => {
      this.#keys = null
      this.#pauseUntil = Date.now() + pauseMs
      throw toUnavailable(cause)
    })
    return this.#keys
  }
}

/**
 * Asks the configured issuer, and for its keys whom it names, which may be another host: its word came over TLS. No
 * redirect is followed, and nobody on the way may hand us keys: they come over TLS, or as the issuer itself does.
 */
async function discover({ issuer, keysCooldownMs }: OidcConfig): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    redirect: 'error',
    signal: AbortSignal.timeout(requestTimeoutMs),
    headers: { accept: 'application/json' },
  })
  if (!response.ok) throw new Error(`The issuer answered ${response.status}`)
  const found = Discovery.parse(await response.json())
  if (found.issuer !== issuer) throw new Error('The issuer calls itself by another name')
  const keys = new URL(found.jwks_uri)
  if (keys.protocol !== 'https:' && keys.origin !== new URL(issuer).origin) {
    throw new Error('The issuer keeps its keys where they come in the clear')
  }
  return createRemoteJWKSet(keys, {
    timeoutDuration: requestTimeoutMs,
    cooldownDuration: keysCooldownMs,
    cacheMaxAge: keysMaxAgeMs,
    [customFetch]: (url, options) => fetch(url, { ...options, redirect: 'error' }),
  })
}

function toCaller(payload: JWTPayload, config: OidcConfig): Caller | null {
  const claims = Claims.safeParse(payload)
  if (!claims.success) return null
  const { sub, exp, name, preferred_username, email } = claims.data
  const id = `oidc:${sub}`
  return {
    id,
    owner: id,
    isLimited: true,
    name: toName(name ?? preferred_username ?? email ?? sub),
    roles: rolesOf(payload, config),
    expiresAt: new Date((exp + config.clockToleranceSeconds) * 1_000),
  }
}

/** For the eyes of whoever reads the audit log; nobody may look like another by it. */
function toName(text: string): string {
  return text.replace(/[^\p{L}\p{N}@._ -]/gu, '').slice(0, 100)
}

function rolesOf(payload: JWTPayload, { roleClaim, roles }: OidcConfig): Role[] {
  const value = payload[roleClaim] ?? followPath(payload, roleClaim.split('.'))
  const texts = (typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []).map(String)
  const meant = texts.map((text) => (roles === null ? text : Object.hasOwn(roles, text) ? roles[text] : undefined))
  return [...new Set(meant.filter((role): role is Role => role !== undefined && isApiRole(role)))]
}

function followPath(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (part, name) =>
      typeof part === 'object' && part !== null && Object.hasOwn(part, name)
        ? part[name as keyof typeof part]
        : undefined,
    value,
  )
}

/** What is wrong with the issuer or the way to it, and not with the token. */
function isFaultOfIssuer(cause: unknown): boolean {
  if (cause instanceof errors.JWKSTimeout || cause instanceof errors.JWKSInvalid) return true
  // The library's words for an answer other than 200 have no class of their own; fetch fails with a TypeError.
  return cause instanceof TypeError || (cause instanceof errors.JOSEError && cause.code === 'ERR_JOSE_GENERIC')
}

function toUnavailable(cause: unknown): UnavailableError {
  return cause instanceof UnavailableError
    ? cause
    : new UnavailableError('The issuer cannot be asked for its keys', { cause })
}
