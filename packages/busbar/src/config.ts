import { readFileSync } from 'node:fs'
import { isApiRole, oidcAlgorithms, type Role } from '@busbar/api'
import { fewestReplicas } from '@busbar/backbone'
import { isEgressOrigin, isNetwork } from '@busbar/services'
import { z } from 'zod'
import { findUnprotected } from './protection.js'

/** Every setting of every role, read once. Times are in the unit their name ends with. */
export type Config = ReturnType<typeof toConfig>

/** Which external services are there decides the set-up. */
export type SetUp =
  /** Nothing but Node: a Postgres of our own in the data folder carries everything. */
  | { kind: 'embedded' }
  /** Embedded on a Postgres of the user's. */
  | { kind: 'embedded-on-postgres'; databaseUrl: string }
  | { kind: 'distributed'; databaseUrl: string; brokers: string[]; redisUrl: string }

/** All wrong variables at once, so that one failed start tells everything. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The configuration is wrong:\n${problems.map((each) => `  ${each}`).join('\n')}`)
    this.problems = problems
  }
}

const port = z.coerce.number().int().min(0).max(65_535)
const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1')
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean),
)
/** Far below what a date can hold. */
const days = z.coerce.number().int().max(36_500)
const protocol = z.enum(['ocpp1.6', 'ocpp2.0.1'])
/** Over plain HTTP anybody on the way could hand us keys of his own. */
const issuer = z
  .url({ protocol: /^https?$/ })
  .refine(
    (url) => /^https:|^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|\/|$)/.test(url),
    'https, unless it is on this machine',
  )
const roleNames = list.transform((pairs, context) => {
  const roles: Record<string, Role> = {}
  for (const pair of pairs) {
    const [name = '', role = ''] = pair.split('=').map((part) => part.trim())
    if (name && isApiRole(role)) roles[name] = role
    else context.addIssue(`${pair}: a value of the claim, =, and viewer, operator, admin or auditor`)
  }
  return roles
})

/** One row a variable: its name after `BUSBAR_`, its shape and default. */
const variables = z.strictObject({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATABASE_POOL: z.coerce.number().int().min(2).max(200).default(12),
  DATABASE_STATEMENT_TIMEOUT_MS: z.coerce.number().int().min(100).default(5_000),
  KAFKA_BROKERS: list.optional(),
  /** How we say who we are; without it, by the certificate or not at all. */
  KAFKA_SASL: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
  KAFKA_USERNAME: z.string().min(1).optional(),
  KAFKA_PASSWORD: z.string().min(1).optional(),
  KAFKA_TLS: flag.default(false),
  /** PEM file of who signed the brokers' certificates; without it, those that Node knows. */
  KAFKA_TLS_CA: z.string().min(1).optional(),
  /** PEM files of our own certificate, where brokers want one, and its key. */
  KAFKA_TLS_CERTIFICATE: z.string().min(1).optional(),
  KAFKA_TLS_KEY: z.string().min(1).optional(),
  /** rediss:// over TLS; user and password in it. */
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  /** PEM file of who signed its certificate; without it, those that Node knows. */
  REDIS_TLS_CA: z.string().min(1).optional(),
  TOPIC_PREFIX: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]*$/i, 'letters, digits, dot, dash and underscore')
    .default('busbar'),
  PARTITIONS: z.coerce.number().int().min(1).max(1_000).default(24),
  /** Of the topics that `migrate` makes; 3, or 1 with DEV_SERVICES. */
  REPLICATION: z.coerce.number().int().min(1).max(9).optional(),
  /** Holds the embedded Postgres, files and, where it is not given, the master secret. */
  DATA_DIR: z.string().min(1).default('.busbar'),
  EMBEDDED_POSTGRES_PORT: port.default(0),
  /** Keys of sealed secrets and station passwords are derived from it: losing it loses them. */
  SECRET: z.string().min(32, 'at least 32 characters').optional(),
  HOST: z.string().min(1).default('0.0.0.0'),
  GATEWAY_PORT: port.default(9_000),
  /** Off as long as no certificate is named. */
  GATEWAY_TLS_PORT: port.default(9_443),
  /** PEM files, chain included, leaf first: one with an RSA key, one with an EC key, or either. */
  GATEWAY_TLS_CERTIFICATES: list.default([]),
  /** PEM files of their keys, in the same order. */
  GATEWAY_TLS_KEYS: list.default([]),
  /** The suites without forward secrecy that the white paper asks for. */
  GATEWAY_TLS_RSA_KEY_EXCHANGE: flag.default(true),
  /** Header in which trusted proxies that end TLS pass the client certificate on. */
  GATEWAY_CERTIFICATE_HEADER: z
    .string()
    .regex(/^[a-z0-9-]+$/i, 'a header name')
    .transform((name) => name.toLowerCase())
    .optional(),
  /** Trust anchors and revocations take effect within this time, for open sockets too. */
  GATEWAY_TRUST_POLL_SECONDS: z.coerce.number().int().min(1).max(30).default(15),
  /** Lets stations in that are registered with security profile 0: no credentials. */
  GATEWAY_ALLOW_PROFILE_0: flag.default(false),
  /** O of the certificates that stations get and have to show; not looked at while empty. */
  OPERATOR_NAME: z.string().min(1).max(64).optional(),
  GATEWAY_PING_INTERVAL_SECONDS: z.coerce.number().int().min(1).default(30),
  GATEWAY_UPGRADES_PER_SECOND: z.coerce.number().int().min(1).default(2_000),
  GATEWAY_PROTOCOLS: list.pipe(z.array(protocol).min(1)).default(['ocpp2.0.1', 'ocpp1.6']),
  /** Addresses or networks whose X-Forwarded-For is believed. */
  TRUSTED_PROXIES: list.default([]),
  GATEWAY_DRAIN_SECONDS: z.coerce.number().int().min(0).default(60),
  API_PORT: port.default(8_080),
  /** Of one key. */
  API_REQUESTS_PER_MINUTE: z.coerce.number().int().min(1).default(12_000),
  /** Its access tokens count beside API keys; without it, keys alone. As tokens spell it in `iss`. */
  OIDC_ISSUER: issuer.optional(),
  /** What a token has to be for (`aud`). */
  OIDC_AUDIENCE: z.string().min(1).optional(),
  /** Claim with the caller's roles: its name, or a path with dots. */
  OIDC_ROLE_CLAIM: z.string().min(1).default('roles'),
  /** What the values of that claim mean here, `fleet-admins=admin,fleet-desk=operator`; without it they are our roles. */
  OIDC_ROLES: roleNames.optional(),
  OIDC_ALGORITHMS: list.pipe(z.array(z.enum(oidcAlgorithms)).min(1)).default(['RS256', 'PS256', 'ES256', 'EdDSA']),
  OIDC_CLOCK_TOLERANCE_SECONDS: z.coerce.number().int().min(0).max(300).default(30),
  /** Where stations reach the API, to fetch firmware and to send logs; without it, its host and port. */
  FILES_URL: z
    .url({ protocol: /^https?$/ })
    .max(200)
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
  /** Files go there instead of into the data folder. */
  FILES_S3_BUCKET: z.string().min(3).optional(),
  FILES_S3_REGION: z.string().min(1).default('us-east-1'),
  /** Of an S3-compatible server other than Amazon's. */
  FILES_S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** Without them, what the client finds by itself: the machine's role, its files. */
  FILES_S3_ACCESS_KEY: z.string().min(1).optional(),
  FILES_S3_SECRET_KEY: z.string().min(1).optional(),
  FILES_MAX_UPLOAD_MB: z.coerce.number().int().min(1).default(256),
  FILES_MAX_FIRMWARE_MB: z.coerce.number().int().min(1).default(1_024),
  /** Of what stations send. */
  FILES_KEEP_DAYS: days.min(1).default(90),
  FILES_ADDRESS_HOURS: z.coerce.number().int().min(1).max(8_760).default(72),
  /** Health and metrics of the gateway and worker roles. */
  HEALTH_PORT: port.default(8_081),
  /** Of frames, counts of Heartbeats, dead letters that were replayed. */
  JOURNAL_DAYS: days.min(1).default(90),
  /** Without it they stay for ever. */
  METER_READING_DAYS: days.min(1).optional(),
  SECURITY_EVENT_DAYS: days.min(1).default(365),
  /** Of commands and what came of them: transfers, reservations, charging profiles, root and old station certificates. */
  HISTORY_DAYS: days.min(30).default(365),
  /** How long something may last before it is an alert, where a station's switches say nothing; 0 is for ever. */
  ALERT_OFFLINE_MINUTES: z.coerce.number().int().min(0).default(10),
  ALERT_FAULTED_MINUTES: z.coerce.number().int().min(0).default(1),
  /** Heartbeat intervals without a word of a connected station. */
  ALERT_SILENT_INTERVALS: z.coerce.number().int().min(0).default(3),
  /** Without a word about an active transaction. */
  ALERT_STUCK_HOURS: z.coerce.number().int().min(0).default(24),
  ALERT_REFUSED_ATTEMPTS: z.coerce.number().int().min(0).default(3),
  /** What webhooks may call: `https://*`, `https://*.example.com`, `http://hooks.internal:8080`; `:*` is any port. */
  WEBHOOK_ALLOW: list
    .pipe(
      z.array(
        z.string().refine(isEgressOrigin, 'scheme://host, or scheme://*, or scheme://*.name, with or without :port'),
      ),
    )
    .default(['https://*']),
  /** Private networks (CIDR) they may reach; none but public addresses without it. */
  WEBHOOK_NETWORKS: list.pipe(z.array(z.string().refine(isNetwork, 'networks as 10.1.0.0/16'))).default([]),
  WEBHOOK_TIMEOUT_SECONDS: z.coerce.number().int().min(1).max(60).default(10),
  /** Of nothing but failures, until a webhook is given up. */
  WEBHOOK_DISABLE_HOURS: z.coerce.number().int().min(1).default(72),
  WEBHOOK_DELIVERY_DAYS: days.min(2).default(30),
  /** Admits unknown stations and stations without credentials; says DEV_SERVICES too. */
  DEV: flag.default(false),
  /** Takes services that anybody may use, or that may lose what they acknowledged. */
  DEV_SERVICES: flag.default(false),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
})

const secretNames = ['SECRET', 'DATABASE_URL', 'REDIS_URL', 'KAFKA_PASSWORD', 'FILES_S3_SECRET_KEY']
/** The second needs the first. */
const companions = [
  ['FILES_S3_ACCESS_KEY', 'FILES_S3_SECRET_KEY'],
  ['FILES_S3_SECRET_KEY', 'FILES_S3_ACCESS_KEY'],
  ['KAFKA_USERNAME', 'KAFKA_SASL'],
  ['KAFKA_PASSWORD', 'KAFKA_SASL'],
  ['KAFKA_SASL', 'KAFKA_USERNAME'],
  ['KAFKA_SASL', 'KAFKA_PASSWORD'],
  ['KAFKA_TLS_CA', 'KAFKA_TLS'],
  ['KAFKA_TLS_KEY', 'KAFKA_TLS_CERTIFICATE'],
  ['KAFKA_TLS_CERTIFICATE', 'KAFKA_TLS_KEY'],
  ['KAFKA_TLS_CERTIFICATE', 'KAFKA_TLS'],
  ['OIDC_ISSUER', 'OIDC_AUDIENCE'],
  ['OIDC_AUDIENCE', 'OIDC_ISSUER'],
] as const

/**
 * The only reader of the environment in Busbar.
 * @throws ConfigError naming every variable that is wrong, unknown names with our prefix included
 */
export function parseConfig(env: NodeJS.ProcessEnv): Config {
  const { given, problems: unreadable } = readSecretFiles(
    Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) =>
        name.startsWith('BUSBAR_') ? [[name.slice('BUSBAR_'.length), value]] : [],
      ),
    ),
  )
  const parsed = variables.safeParse(given)
  const config = parsed.success ? toConfig(parsed.data) : null
  const problems = [
    ...unreadable,
    ...(parsed.error?.issues.flatMap(toProblems) ?? []),
    ...missingCompanions(given),
    ...unpairedKeys(given),
    ...missingHalves(given),
    ...(config && !config.values.DEV_SERVICES ? findUnprotected(config.values) : []),
  ]
  if (!config || problems.length > 0) throw new ConfigError(problems)
  return config
}

/**
 * `BUSBAR_SECRET_FILE` in place of `BUSBAR_SECRET`, and so for every secret: a file, as orchestrators mount them. The line
 * break at its end is no part of the secret.
 */
function readSecretFiles(given: Record<string, string | undefined>) {
  const read = { ...given }
  const problems: string[] = []
  for (const name of secretNames) {
    const file = read[`${name}_FILE`]
    if (file === undefined) continue
    delete read[`${name}_FILE`]
    if (read[name] !== undefined) problems.push(`BUSBAR_${name}_FILE: not beside BUSBAR_${name}`)
    try {
      read[name] = readFileSync(file, 'utf8').trimEnd()
    } catch (cause) {
      problems.push(`BUSBAR_${name}_FILE: ${cause instanceof Error ? cause.message : cause}`)
    }
  }
  return { given: read, problems }
}

function toProblems(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `BUSBAR_${key}: no such setting`)
  return [`BUSBAR_${issue.path.join('.')}: ${issue.message}`]
}

/** Kafka, Redis and Postgres go together. */
function missingCompanions(given: Record<string, string | undefined>): string[] {
  if (!given.KAFKA_BROKERS && !given.REDIS_URL) return []
  return ['DATABASE_URL', 'KAFKA_BROKERS', 'REDIS_URL']
    .filter((name) => !given[name])
    .map((name) => `BUSBAR_${name}: needed beside the other services that are named`)
}

function unpairedKeys({ GATEWAY_TLS_CERTIFICATES, GATEWAY_TLS_KEYS }: Record<string, string | undefined>): string[] {
  const count = (text = '') => list.parse(text).length
  if (count(GATEWAY_TLS_CERTIFICATES) === count(GATEWAY_TLS_KEYS)) return []
  return ['BUSBAR_GATEWAY_TLS_KEYS: as many as BUSBAR_GATEWAY_TLS_CERTIFICATES']
}

function missingHalves(given: Record<string, string | undefined>): string[] {
  const has = (name: string) => given[name] !== undefined && !['', 'false', '0'].includes(given[name])
  const halves = companions.filter(([name, other]) => has(name) && !has(other))
  const isOpen = has('REDIS_TLS_CA') && !given.REDIS_URL?.startsWith('rediss:')
  return [
    ...halves.map(([name, other]) => `BUSBAR_${other}: goes with BUSBAR_${name}`),
    ...(isOpen ? ['BUSBAR_REDIS_URL: rediss:// goes with BUSBAR_REDIS_TLS_CA'] : []),
  ]
}

function toConfig(given: z.infer<typeof variables>) {
  const DEV_SERVICES = given.DEV || given.DEV_SERVICES
  const values = { ...given, DEV_SERVICES, REPLICATION: given.REPLICATION ?? (DEV_SERVICES ? 1 : fewestReplicas) }
  return { values, setUp: toSetUp(values) }
}

function toSetUp({ DATABASE_URL, KAFKA_BROKERS, REDIS_URL }: z.infer<typeof variables>): SetUp {
  if (DATABASE_URL && KAFKA_BROKERS && REDIS_URL) {
    return { kind: 'distributed', databaseUrl: DATABASE_URL, brokers: KAFKA_BROKERS, redisUrl: REDIS_URL }
  }
  return DATABASE_URL ? { kind: 'embedded-on-postgres', databaseUrl: DATABASE_URL } : { kind: 'embedded' }
}

/** The effective configuration as `BUSBAR_NAME=value` lines, secrets hidden. */
export function describeConfig({ values, setUp }: Config): string {
  const lines = Object.keys(variables.shape).map((name) => {
    const value = values[name as keyof typeof values]
    const text = toText(value)
    return `BUSBAR_${name}=${secretNames.includes(name) ? hide(text) : text}`
  })
  return [`# set-up: ${setUp.kind}`, ...lines].join('\n')
}

function toText(value: unknown): string {
  if (Array.isArray(value)) return value.join(',')
  if (typeof value !== 'object' || value === null) return String(value ?? '')
  return Object.entries(value)
    .map((pair) => pair.join('='))
    .join(',')
}

function hide(text: string): string {
  if (!text) return ''
  if (!URL.canParse(text)) return '***'
  const url = new URL(text)
  if (url.password) url.password = '***'
  return url.toString()
}
