import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { VirtualStation } from '@busbar/simulator'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canOwnServices } from '../faults/services/own-services.js'
import { TestAuthority } from '../support/certificates.js'
import { binary } from '../support/processes.js'
import {
  type OwnService,
  open,
  startKafka,
  startPostgres,
  startRedis,
  writeServerFiles,
} from '../support/protected-services.js'
import { allServices, hasServices, masterSecret, type System, startDistributed, until } from '../support/system.js'

const user = 'busbar'
const secret = 'kR7wNz2m'
const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

describe.skipIf(!hasServices() || !canOwnServices())('Postgres, Redis and Kafka that ask who comes, over TLS', () => {
  let folder: string
  const services: OwnService[] = []
  let ca: string
  let databaseUrl: string
  let redisUrl: string
  let brokers: string
  let production: Record<string, string>
  let system: System

  beforeAll(async () => {
    folder = await open(await mkdtemp(path.join(tmpdir(), 'busbar-protected-')))
    const root = await TestAuthority.create('Services Root', 'rsa')
    const draft = {
      commonName: 'localhost',
      hosts: ['localhost', '127.0.0.1'],
      usage: 'server',
      keyType: 'rsa',
    } as const
    const tls = await writeServerFiles(folder, await root.issue(draft), root.certificate)
    ca = tls.ca
    await writeFile(path.join(folder, 'other.pem'), (await TestAuthority.create('Another Root')).certificate)
    const [kafka, redis, postgres] = await Promise.all([
      startKafka(folder, 3, { name: user, password: secret }, tls),
      startRedis(
        folder,
        ['appendonly yes', 'maxmemory-policy noeviction', 'user default off', `user ${user} on >${secret} ~* &* +@all`],
        tls,
      ),
      startPostgres(folder, {
        hba: ['hostssl all trusted 127.0.0.1/32 trust', 'hostssl all all 127.0.0.1/32 scram-sha-256'],
        password: secret,
        tls,
      }),
    ])
    services.push(...kafka, redis, postgres)
    databaseUrl = `postgres://postgres:${secret}@127.0.0.1:${postgres.port}/postgres?sslmode=verify-full&sslrootcert=${ca}`
    redisUrl = `rediss://${user}:${secret}@127.0.0.1:${redis.port}`
    brokers = kafka.map(({ port }) => `127.0.0.1:${port}`).join(',')
    production = {
      BUSBAR_DATABASE_URL: databaseUrl,
      BUSBAR_REDIS_URL: redisUrl,
      BUSBAR_REDIS_TLS_CA: ca,
      BUSBAR_KAFKA_BROKERS: brokers,
      BUSBAR_KAFKA_SASL: 'scram-sha-512',
      BUSBAR_KAFKA_USERNAME: user,
      BUSBAR_KAFKA_PASSWORD: secret,
      BUSBAR_KAFKA_TLS: 'true',
      BUSBAR_KAFKA_TLS_CA: ca,
      BUSBAR_DEV_SERVICES: 'false',
      BUSBAR_PARTITIONS: '2',
      BUSBAR_SECRET: masterSecret,
    }
    await ask('CREATE ROLE trusted LOGIN SUPERUSER')
    const { BUSBAR_DATABASE_URL: _made, ...rest } = production
    system = await startDistributed({ gateways: 1, workers: [allServices], partitions: 2 }, rest, {
      databaseUrl,
      redisUrl,
      brokers,
      replication: 3,
      kafkaAccess: {
        ssl: { ca: root.certificate },
        sasl: { mechanism: 'scram-sha-512', username: user, password: secret },
      },
    })
  }, 240_000)
  afterAll(async () => {
    await system?.stop()
    await Promise.all(services.map(({ server }) => server.kill()))
    await rm(folder, { recursive: true, force: true })
  })

  const ask = async (text: string) => {
    const client = new pg.Client(databaseUrl)
    await client.connect()
    const { rows } = await client.query(text).finally(() => client.end())
    return rows
  }

  /** A role, which goes on until it is ended if nothing is wrong, or a command that ends by itself. */
  function start(
    env: Record<string, string | undefined> = {},
    args = ['worker'],
  ): Promise<{ code: number; text: string }> {
    const url = new URL(databaseUrl)
    url.pathname = `/${system.topicPrefix}`
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [binary, ...args],
        {
          timeout: 30_000,
          env: {
            PATH: process.env.PATH,
            ...production,
            BUSBAR_DATABASE_URL: url.href,
            BUSBAR_TOPIC_PREFIX: system.topicPrefix,
            ...env,
          },
        },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), text: `${stdout}${stderr}` }),
      )
    })
  }

  test('a system in production starts on them, and a station charges', async () => {
    await system.api.registerToken('TOKEN-1')
    await system.api.registerStation('SAFE', password)
    const station = new VirtualStation({ id: 'SAFE', protocol: 'ocpp1.6', urls: system.urls, password })
    await station.start()
    await station.charge({ token: 'TOKEN-1', readings: 1, intervalMs: 100 })
    await station.stop()
    await until('the transaction is in Postgres', async () => {
      const { rows } = await system.database.query("SELECT 1 FROM charging_transaction WHERE status = 'ended'")
      return rows.length === 1
    })
  })

  const keysList = ['keys', 'list']

  test.each(['plain', 'scram-sha-256'])('Kafka lets us in by %s too', async (mechanism) => {
    expect(await start({ BUSBAR_KAFKA_SASL: mechanism }, keysList)).toMatchObject({ code: 0 })
  })

  const withUser = (name: string) => {
    const url = new URL(databaseUrl)
    url.username = name
    url.pathname = `/${system.topicPrefix}`
    return url.href
  }

  test.each([
    [
      'BUSBAR_DATABASE_URL',
      'authentication failed',
      () => ({ BUSBAR_DATABASE_URL: databaseUrl.replace(secret, 'x7') }),
    ],
    ['BUSBAR_DATABASE_URL', 'lets in whoever comes', () => ({ BUSBAR_DATABASE_URL: withUser('trusted') })],
    ['BUSBAR_REDIS_URL', 'does not let us in', () => ({ BUSBAR_REDIS_URL: redisUrl.replace(secret, 'x7') })],
    ['BUSBAR_KAFKA_SASL', 'failed', () => ({ BUSBAR_KAFKA_PASSWORD: 'x7' })],
    ['BUSBAR_KAFKA_TLS_CA', 'no such file', () => ({ BUSBAR_KAFKA_TLS_CA: path.join(folder, 'none.pem') })],
    ['Kafka', 'certificate', () => ({ BUSBAR_KAFKA_TLS_CA: path.join(folder, 'other.pem') })],
  ])('%s: what %s ends the start', async (name, why, env) => {
    const { code, text } = await start(env())

    expect(text).toMatch(new RegExp(`${name}.*${why}`))
    expect(code).not.toBe(0)
    expect(text).not.toContain(secret)
  })

  test('a Redis that anybody may use, that drops what it was told or forgets it, ends the start', async () => {
    const redis = await startRedis(folder, ['maxmemory-policy allkeys-lru'])
    try {
      const { code, text } = await start({
        BUSBAR_REDIS_URL: `redis://:${secret}@127.0.0.1:${redis.port}`,
        BUSBAR_REDIS_TLS_CA: undefined,
      })

      expect(code).not.toBe(0)
      for (const why of ['lets in whoever comes', 'maxmemory-policy allkeys-lru', 'appendonly off']) {
        expect(text).toMatch(new RegExp(`BUSBAR_REDIS_URL: .*${why}`))
      }
    } finally {
      await redis.server.kill()
    }
  })

  test('a node of a Redis Cluster ends the start', async () => {
    const redis = await startRedis(folder, ['cluster-enabled yes', `requirepass ${secret}`])
    try {
      const env = { BUSBAR_REDIS_URL: `redis://:${secret}@127.0.0.1:${redis.port}`, BUSBAR_REDIS_TLS_CA: undefined }
      const { code, text } = await start(env)

      expect(text).toMatch(/BUSBAR_REDIS_URL: .*Redis Cluster/)
      expect(code).not.toBe(0)
    } finally {
      await redis.server.kill()
    }
  })

  test('a Postgres that may lose what was committed ends the start', async () => {
    await ask('ALTER SYSTEM SET fsync = off')
    await ask('ALTER SYSTEM SET synchronous_commit = off')
    await ask('SELECT pg_reload_conf()')
    const isOff = async () =>
      (await ask("SELECT 1 FROM pg_settings WHERE name = 'fsync' AND setting = 'off'")).length > 0
    await until('the settings are in force', isOff)
    try {
      const { code, text } = await start()

      expect(text).toMatch(/BUSBAR_DATABASE_URL: .*fsync off/)
      expect(text).toMatch(/BUSBAR_DATABASE_URL: .*synchronous_commit off/)
      expect(code).not.toBe(0)
      expect(await start({ BUSBAR_DEV_SERVICES: 'true' }, keysList)).toMatchObject({ code: 0 })
    } finally {
      await ask('ALTER SYSTEM RESET ALL')
      await ask('SELECT pg_reload_conf()')
    }
  })

  test('topics with one copy of everything end the start', async () => {
    const prefix = { BUSBAR_TOPIC_PREFIX: `${system.topicPrefix}-thin` }
    const made = await start({ ...prefix, BUSBAR_REPLICATION: '1', BUSBAR_DEV_SERVICES: 'true' }, ['migrate'])
    expect(made.code).toBe(0)

    const { code, text } = await start(prefix)

    expect(text).toMatch(/BUSBAR_REPLICATION: .*fewer than 3 replicas/)
    expect(text).toMatch(/BUSBAR_REPLICATION: .*min\.insync\.replicas/)
    expect(code).not.toBe(0)
  })
})
