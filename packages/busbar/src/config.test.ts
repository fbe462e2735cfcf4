import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError, describeConfig, parseConfig } from './config.js'

test('with nothing set everything is embedded', () => {
  expect(parseConfig({}).setUp).toEqual({ kind: 'embedded' })
})

test('one failed start names every wrong variable', () => {
  const env = {
    BUSBAR_GATEWAY_PORT: 'none',
    BUSBAR_LOG_LEVEL: 'loud',
    BUSBAR_GATWAY_PORT: '9000',
    BUSBAR_REDIS_URL: 'redis://r',
  }

  expect(() => parseConfig(env)).toThrow(ConfigError)
  try {
    parseConfig(env)
  } catch (error) {
    const names = (error as ConfigError).problems.map((problem) => problem.split(':')[0])
    expect(names.toSorted()).toEqual([
      'BUSBAR_DATABASE_URL',
      'BUSBAR_GATEWAY_PORT',
      'BUSBAR_GATWAY_PORT',
      'BUSBAR_KAFKA_BROKERS',
      'BUSBAR_LOG_LEVEL',
    ])
  }
})

test('Kafka without its companions is refused by name', () => {
  expect(() => parseConfig({ BUSBAR_KAFKA_BROKERS: 'localhost:9092' })).toThrow(
    /BUSBAR_DATABASE_URL.*\n.*BUSBAR_REDIS_URL/,
  )
})

test('half of the credentials of object storage is refused', () => {
  expect(() => parseConfig({ BUSBAR_FILES_S3_ACCESS_KEY: 'busbar' })).toThrow(/BUSBAR_FILES_S3_SECRET_KEY/)
})

test('a description hides secrets and passwords in addresses', () => {
  const text = describeConfig(
    parseConfig({
      BUSBAR_SECRET: 'abcdefgh'.repeat(5),
      BUSBAR_FILES_S3_ACCESS_KEY: 'busbar',
      BUSBAR_FILES_S3_SECRET_KEY: 'hunter2',
      BUSBAR_DATABASE_URL: 'postgres://busbar:hunter2@db/busbar',
      BUSBAR_KAFKA_PASSWORD: 'hunter2',
      BUSBAR_KAFKA_USERNAME: 'busbar',
      BUSBAR_KAFKA_SASL: 'plain',
    }),
  )

  expect(text).not.toContain('hunter2')
  expect(text).not.toContain('abcdefgh')
  expect(text).toContain('BUSBAR_DATABASE_URL=postgres://busbar:***@db/busbar')
})

test('a certificate without its key is refused by name', () => {
  expect(() =>
    parseConfig({ BUSBAR_GATEWAY_TLS_CERTIFICATES: 'a.pem,b.pem', BUSBAR_GATEWAY_TLS_KEYS: 'a.key' }),
  ).toThrow(/BUSBAR_GATEWAY_TLS_KEYS/)
})

test('a secret may lie in a file, and one that cannot be read is named', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'busbar-config-'))
  const file = path.join(folder, 'secret')
  writeFileSync(file, `${'abcdefgh'.repeat(4)}\n`)

  expect(parseConfig({ BUSBAR_SECRET_FILE: file }).values.SECRET).toBe('abcdefgh'.repeat(4))
  expect(() => parseConfig({ BUSBAR_REDIS_URL_FILE: path.join(folder, 'none') })).toThrow(
    /BUSBAR_REDIS_URL_FILE: ENOENT/,
  )
  expect(() => parseConfig({ BUSBAR_SECRET: 'abcdefgh'.repeat(4), BUSBAR_SECRET_FILE: file })).toThrow(/not beside/)
  // Only secrets.
  expect(() => parseConfig({ BUSBAR_HOST_FILE: file })).toThrow(/BUSBAR_HOST_FILE: no such setting/)
  rmSync(folder, { recursive: true })
})

const production = {
  BUSBAR_DATABASE_URL: 'postgres://busbar:x8Tq2v@db/busbar',
  BUSBAR_REDIS_URL: 'rediss://busbar:x8Tq2v@redis',
  BUSBAR_KAFKA_BROKERS: 'kafka:9093',
  BUSBAR_KAFKA_SASL: 'scram-sha-512',
  BUSBAR_KAFKA_USERNAME: 'busbar',
  BUSBAR_KAFKA_PASSWORD: 'x8Tq2v',
  BUSBAR_SECRET: '4f1e9a2b7c8d3650'.repeat(3),
}

test('services that know who we are, with secrets of our own, are taken', () => {
  expect(parseConfig(production).values.REPLICATION).toBe(3)
})

test.each([
  ['DATABASE_URL', 'postgres://busbar@db/busbar'],
  ['DATABASE_URL', 'postgres://postgres:postgres@db/busbar'],
  ['DATABASE_URL', 'postgres://busbar:Busbar@db/busbar'],
  ['REDIS_URL', 'redis://redis'],
  ['REDIS_URL', 'redis://:changeme@redis'],
  ['KAFKA_PASSWORD', 'kafka'],
  ['SECRET', 'change-me-change-me-change-me-change-me'],
  ['SECRET', 'a'.repeat(40)],
  ['REPLICATION', '1'],
])('%s of a habit or an example refuses the start, and development takes it: %s', (name, value) => {
  const env = { ...production, [`BUSBAR_${name}`]: value }
  const setting = name === 'KAFKA_PASSWORD' ? 'KAFKA_SASL' : name

  expect(() => parseConfig(env)).toThrow(new RegExp(`^  BUSBAR_${setting}: .*\n  BUSBAR_DEV_SERVICES: `, 'm'))
  expect(parseConfig({ ...env, BUSBAR_DEV_SERVICES: 'true' }).setUp.kind).toBe('distributed')
})

test('a refusal tells no secret', () => {
  const env = { ...production, BUSBAR_REDIS_URL: 'redis://:changeme@redis' }

  expect(() => parseConfig(env)).toThrow(/^(?!.*changeme)/s)
})

test('Kafka that asks nobody who they are is refused, but for one that asks for a certificate', () => {
  const {
    BUSBAR_KAFKA_SASL: _sasl,
    BUSBAR_KAFKA_USERNAME: _name,
    BUSBAR_KAFKA_PASSWORD: _password,
    ...open
  } = production
  const withCertificate = {
    ...open,
    BUSBAR_KAFKA_TLS: 'true',
    BUSBAR_KAFKA_TLS_CERTIFICATE: 'client.pem',
    BUSBAR_KAFKA_TLS_KEY: 'client.key',
  }

  expect(() => parseConfig(open)).toThrow(/BUSBAR_KAFKA_SASL/)
  expect(parseConfig(withCertificate).setUp.kind).toBe('distributed')
})

test('a Postgres on a socket of this machine needs no password', () => {
  expect(parseConfig({ BUSBAR_DATABASE_URL: 'postgres:///busbar?host=/run/postgresql' }).setUp.kind).toBe(
    'embedded-on-postgres',
  )
})

test.each([
  [{ BUSBAR_KAFKA_SASL: 'plain', BUSBAR_KAFKA_USERNAME: 'busbar' }, /BUSBAR_KAFKA_PASSWORD/],
  [{ BUSBAR_KAFKA_PASSWORD: 'x' }, /BUSBAR_KAFKA_SASL/],
  [{ BUSBAR_KAFKA_TLS_CA: 'ca.pem', BUSBAR_KAFKA_TLS: 'false' }, /BUSBAR_KAFKA_TLS:/],
  [{ BUSBAR_KAFKA_TLS_CERTIFICATE: 'client.pem', BUSBAR_KAFKA_TLS: 'true' }, /BUSBAR_KAFKA_TLS_KEY/],
  [{ BUSBAR_REDIS_TLS_CA: 'ca.pem', BUSBAR_REDIS_URL: 'redis://r' }, /BUSBAR_REDIS_URL: rediss/],
])('half of what a connection needs is refused by name: %o', (env, name) => {
  expect(() => parseConfig(env)).toThrow(name)
})

test('an issuer of access tokens: its roles are read, and half of it, or one in the clear, is refused by name', () => {
  const whole = {
    BUSBAR_OIDC_ISSUER: 'https://id.example/realms/fleet',
    BUSBAR_OIDC_AUDIENCE: 'busbar',
    BUSBAR_OIDC_ROLES: 'fleet-admins=admin, desk=operator',
  }

  const config = parseConfig(whole)

  expect(config.values.OIDC_ROLES).toEqual({ 'fleet-admins': 'admin', desk: 'operator' })
  expect(describeConfig(config)).toContain('BUSBAR_OIDC_ROLES=fleet-admins=admin,desk=operator')
  expect(() => parseConfig({ ...whole, BUSBAR_OIDC_AUDIENCE: undefined })).toThrow(/BUSBAR_OIDC_AUDIENCE/)
  expect(() => parseConfig({ ...whole, BUSBAR_OIDC_ISSUER: 'http://id.example' })).toThrow(/BUSBAR_OIDC_ISSUER: https/)
  expect(() => parseConfig({ ...whole, BUSBAR_OIDC_ROLES: 'desk=root' })).toThrow(/BUSBAR_OIDC_ROLES.*desk=root/)
  expect(() => parseConfig({ ...whole, BUSBAR_OIDC_ALGORITHMS: 'HS256' })).toThrow(/BUSBAR_OIDC_ALGORITHMS/)
})
