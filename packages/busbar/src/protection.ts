import { fewestReplicas } from '@busbar/backbone'

/** What the settings say of who may use our services, and how safe they are. */
export interface ServiceAccess {
  DATABASE_URL?: string | undefined
  REDIS_URL?: string | undefined
  KAFKA_BROKERS?: readonly string[] | undefined
  KAFKA_SASL?: string | undefined
  KAFKA_USERNAME?: string | undefined
  KAFKA_PASSWORD?: string | undefined
  KAFKA_TLS_CERTIFICATE?: string | undefined
  REPLICATION?: number | undefined
  SECRET?: string | undefined
}

/** Passwords that come with an image, an example or a habit. */
const knownPasswords = new Set(
  'admin busbar busbar-secret change-me changeme default guest kafka letmein password postgres redis root secret test'.split(
    ' ',
  ),
)
const fewestCharacters = 8

/**
 * Settings under which anybody who reaches a service may use it, or whoever knows the habits of the trade.
 * @returns one line a setting, by its name; never a secret
 */
export function findUnprotected(access: ServiceAccess): string[] {
  return withWayOut([
    ...problem('DATABASE_URL', access.DATABASE_URL && weaknessOfPostgres(new URL(access.DATABASE_URL))),
    ...problem('REDIS_URL', access.REDIS_URL && weaknessOfUrl(new URL(access.REDIS_URL))),
    ...problem('KAFKA_SASL', access.KAFKA_BROKERS && weaknessOfKafka(access)),
    ...problem('REPLICATION', access.KAFKA_BROKERS && weaknessOfReplication(access.REPLICATION)),
    ...problem('SECRET', access.SECRET !== undefined && weaknessOfSecret(access.SECRET)),
  ])
}

/** What keeps the start from going on, and what lets it. */
export const withWayOut = (problems: readonly string[]): string[] =>
  problems.length === 0 ? [] : [...problems, 'BUSBAR_DEV_SERVICES: true takes all that, for development']

const problem = (setting: string, weakness: string | null | undefined | false) =>
  weakness ? [`BUSBAR_${setting}: ${weakness}`] : []

function weaknessOfPostgres(url: URL): string | null {
  // The system itself says who is at the other end, or a certificate does.
  if (url.hostname === '' || url.searchParams.has('sslcert')) return null
  return weaknessOfUrl(url)
}

const weaknessOfUrl = ({ username, password }: URL) =>
  weaknessOf(decodeURIComponent(password), decodeURIComponent(username))

function weaknessOfKafka({ KAFKA_SASL, KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_TLS_CERTIFICATE }: ServiceAccess) {
  if (KAFKA_SASL !== undefined) return weaknessOf(KAFKA_PASSWORD ?? '', KAFKA_USERNAME ?? '')
  return KAFKA_TLS_CERTIFICATE === undefined ? weaknessOf('', '') : null
}

function weaknessOf(password: string, username: string): string | null {
  if (password === '') return 'names no password, so anybody who reaches the service may use it'
  const isKnown = knownPasswords.has(password.toLowerCase()) || password === username
  return isKnown ? 'names a password that anybody would try first' : null
}

const weaknessOfReplication = (replication = fewestReplicas) =>
  replication < fewestReplicas &&
  `is less than ${fewestReplicas}, so a broker that is lost takes acknowledged messages along`

function weaknessOfSecret(secret: string): string | null {
  const isPlaceholder = /change.?me|example/i.test(secret) || new Set(secret).size < fewestCharacters
  return isPlaceholder ? 'is a placeholder, so anybody can open what it seals' : null
}
