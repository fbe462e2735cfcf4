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
      BUSBAR_SECRET: 'a'.repeat(40),
      BUSBAR_FILES_S3_ACCESS_KEY: 'busbar',
      BUSBAR_FILES_S3_SECRET_KEY: 'hunter2',
      BUSBAR_DATABASE_URL: 'postgres://busbar:hunter2@db/busbar',
    }),
  )

  expect(text).not.toContain('hunter2')
  expect(text).not.toContain('aaaa')
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
  writeFileSync(file, `${'s'.repeat(32)}\n`)

  expect(parseConfig({ BUSBAR_SECRET_FILE: file }).values.SECRET).toBe('s'.repeat(32))
  expect(() => parseConfig({ BUSBAR_REDIS_URL_FILE: path.join(folder, 'none') })).toThrow(
    /BUSBAR_REDIS_URL_FILE: ENOENT/,
  )
  expect(() => parseConfig({ BUSBAR_SECRET: 's'.repeat(32), BUSBAR_SECRET_FILE: file })).toThrow(/not beside/)
  // Only secrets.
  expect(() => parseConfig({ BUSBAR_HOST_FILE: file })).toThrow(/BUSBAR_HOST_FILE: no such setting/)
  rmSync(folder, { recursive: true })
})
