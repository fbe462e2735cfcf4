import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Database, openDatabase, type Sql } from './database.js'
import { DataError, toStoreError, UnavailableError } from './errors.js'
import { newId } from './new-id.js'
import { insertInto } from './rows.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import { type NetworkOptions, startNetwork } from './testing-network.js'

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
  await store.database.query(statement('CREATE DOMAIN broken AS int CHECK (value > 1)'))
})
afterAll(() => store.drop())

const insertSites = insertInto('site', { id: 'uuid', name: 'text' })
const statement = (text: string, values: unknown[] = []): Sql => ({ text, values })
const siteExists = async (id: string) =>
  (await store.database.query(statement('SELECT 1 AS one FROM site WHERE id = $1', [id]))).length === 1

describe('commit', () => {
  test('applies all statements and returns the rows of each', async () => {
    const id = newId()

    const rows = await store.database.commit([
      insertSites([{ id, name: 'Depot' }]),
      statement('SELECT name FROM site WHERE id = $1', [id]),
    ])

    expect(rows).toEqual([[], [{ name: 'Depot' }]])
  })

  test('applies nothing when one statement fails, and leaves the connection usable', async () => {
    const one = openDatabase({ url: store.url, poolSize: 1, statementTimeoutMs: 5000 })
    const id = newId()

    const failed = one.commit([insertSites([{ id, name: 'Depot' }]), statement('SELECT 1 / 0'), statement('SELECT 1')])
    await expect(failed).rejects.toMatchObject({ name: 'DataError', code: '22012' })

    expect(await one.commit([statement('SELECT 1 AS one')])).toEqual([[{ one: 1 }]])
    expect(await siteExists(id)).toBe(false)
    await one.close()
  })

  test('a prepared statement that failed before works again', async () => {
    const id = newId()
    await expect(store.database.commit([statement('SELECT 1 / 0'), insertSites([{ id, name: 'a' }])])).rejects.toThrow()

    await store.database.commit([insertSites([{ id, name: 'b' }])])

    expect(await siteExists(id)).toBe(true)
  })

  test('writes its statements without waiting for each other', async () => {
    const { database, stop } = await openBehind(5000, { delayMs: 40 })
    await database.ping()
    const startedAt = performance.now()

    await database.commit(Array.from({ length: 8 }, () => statement('SELECT 1')))

    // One after the other the ten statements would take ten round trips of 40 ms.
    expect(performance.now() - startedAt).toBeLessThan(200)
    await stop()
  })

  test('a connection lost between COMMIT and its answer is UnavailableError: nobody knows, redo it', async () => {
    const judge = (sent: Buffer) => (sent.includes('COMMIT') ? 'cut-after' : 'pass')
    const { database, stop } = await openBehind(5000, { judge })
    const id = newId()

    const cut = database.commit([insertSites([{ id, name: 'Depot' }]), statement('SELECT 1')])
    await expect(cut).rejects.toBeInstanceOf(UnavailableError)

    await expect.poll(() => siteExists(id)).toBe(true)
    await stop()
  })

  test('a Postgres that stops answering is given up after the statement timeout', async () => {
    const judge = (sent: Buffer) => (sent.includes('SELECT 42') ? 'swallow' : 'pass')
    const { database, stop } = await openBehind(200, { judge })

    await expect(database.commit([statement('SELECT 42')])).rejects.toBeInstanceOf(UnavailableError)

    await stop()
  })
})

describe('pipelined', () => {
  test('its queries share a connection and do not wait for each other', async () => {
    const { database, stop } = await openBehind(5000, { delayMs: 40 }, 4)
    await database.ping()
    const startedAt = performance.now()

    const backends = await database.pipelined((session) =>
      Promise.all(Array.from({ length: 8 }, () => session.query(statement('SELECT pg_backend_pid() AS pid')))),
    )

    expect(performance.now() - startedAt).toBeLessThan(200)
    expect(new Set(backends.map(([row]) => (row as { pid: number }).pid)).size).toBe(1)
    await stop()
  })

  test('after a failed query the next caller gets a sound connection', async () => {
    const one = openDatabase({ url: store.url, poolSize: 1, statementTimeoutMs: 5000 })
    const failed = one.pipelined((session) =>
      Promise.all([session.query(statement('SELECT 1 / 0')), session.query(statement('SELECT 1'))]),
    )
    await expect(failed).rejects.toMatchObject({ name: 'DataError', code: '22012' })

    expect(await one.query(statement('SELECT 1 AS one'))).toEqual([{ one: 1 }])
    await one.close()
  })
})

describe('errors by what the caller does with them', () => {
  test.each([
    ['a value out of range', 'SELECT 300000::int2', '22003'],
    ['a NUL character', `SELECT '"\\u0000"'::jsonb`, '22P05'],
    ['a key taken', `INSERT INTO log_partition (topic, partition) VALUES ('t', 1), ('t', 1)`, '23505'],
    ['a broken rule', `SELECT 1::broken`, '23514'],
    ['a missing value', 'INSERT INTO site (id) VALUES (gen_random_uuid())', '23502'],
  ])('%s is DataError', async (_, text, code) => {
    await expect(store.database.query(statement(text))).rejects.toMatchObject({ name: 'DataError', code })
    await expect(store.database.commit([statement(text)])).rejects.toMatchObject({ name: 'DataError', code })
  })

  test.each([
    ['a statement that ran out of time', 'SELECT pg_sleep(5)'],
    ['a connection ended by the administrator', 'SELECT pg_terminate_backend(pg_backend_pid())'],
  ])('%s is UnavailableError, and the next one succeeds', async (_, text) => {
    const database = openDatabase({ url: store.url, poolSize: 1, statementTimeoutMs: 200 })

    await expect(database.query(statement(text))).rejects.toBeInstanceOf(UnavailableError)
    await expect(database.commit([statement(text)])).rejects.toBeInstanceOf(UnavailableError)

    await database.ping()
    await database.close()
  })

  test('what Prisma wraps is sorted alike', async () => {
    const fail = (text: string) => store.database.prisma.$queryRawUnsafe(text).catch(toStoreError)

    expect(await fail('SELECT pg_terminate_backend(pg_backend_pid())::text')).toBeInstanceOf(UnavailableError)
    expect(await fail('SELECT 1 / 0')).toMatchObject({ name: 'DataError', code: '22012' })
    const site = { id: newId(), name: 'Depot' }
    await store.database.prisma.site.create({ data: site })
    expect(await store.database.prisma.site.create({ data: site }).catch(toStoreError)).toMatchObject({ code: '23505' })
  })

  test.each([
    ...['40P01', '40001', '53300', '57P03', '57014', '08006', '58030', '58P01', '55P03'],
    ...['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'P1001', 'P2024'],
  ])('code %s is UnavailableError', (code) => {
    expect(toStoreError(Object.assign(new Error('x'), { code }))).toBeInstanceOf(UnavailableError)
  })

  test.each([
    ['a slip of ours that names a time-out', new TypeError("Cannot read properties of undefined (reading 'timeout')")],
    ['our own word on a time-out', new Error('the statement timeout has to be a number')],
    ['a slip that says word for word what the driver says', new RangeError('Query read timeout')],
    ['a time-out of something else', new DOMException('The operation was aborted due to timeout', 'TimeoutError')],
    ['a code that is no outage', Object.assign(new Error('Connection terminated'), { code: 'ERR_INVALID_ARG_TYPE' })],
    ['a code that only begins like one', Object.assign(new Error('x'), { code: '08' })],
  ])('%s stays what it is', (_, mistake) => {
    expect(toStoreError(mistake)).toBe(mistake)
  })

  test('no connection free in time is UnavailableError, Prisma included', async () => {
    const one = openDatabase({ url: store.url, poolSize: 1, statementTimeoutMs: 20_000 })
    const busy = one.query(statement('SELECT pg_sleep(6)'))

    const late = await Promise.all([
      one.ping().catch((cause) => cause),
      one.commit([statement('SELECT 1')]).catch((cause) => cause),
      one.prisma.site.count().catch(toStoreError),
    ])

    for (const error of late) expect(error).toBeInstanceOf(UnavailableError)
    await busy
    await one.close()
  }, 15_000)

  test('a row that missed the partition made for it meanwhile is UnavailableError', async () => {
    const at = new Date()
    const misplaced = statement(
      `INSERT INTO journal_frame_default (at, station_id, connection_id, direction, sequence, protocol, kind, frame)
       VALUES ($1, 'CS-1', 'c', 'in', 1, 'ocpp1.6', 'call', '')`,
      [at],
    )

    await expect(store.database.commit([misplaced])).rejects.toBeInstanceOf(UnavailableError)
  })

  test('a mistake of ours stays what it is', async () => {
    await expect(store.database.query(statement('SELECT nothing FROM site'))).rejects.toMatchObject({ code: '42703' })
    await expect(store.database.query(statement('SELECT nothing FROM site'))).rejects.not.toBeInstanceOf(DataError)
  })

  test('an unreachable server is UnavailableError everywhere, Prisma included', async () => {
    const away = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', poolSize: 1, statementTimeoutMs: 1000 })

    await expect(away.ping()).rejects.toBeInstanceOf(UnavailableError)
    await expect(away.commit([statement('SELECT 1')])).rejects.toBeInstanceOf(UnavailableError)
    await expect(away.session(async () => 1)).rejects.toBeInstanceOf(UnavailableError)
    const error = await away.prisma.site.count().catch(toStoreError)
    expect(error).toBeInstanceOf(UnavailableError)
    await away.close()
  })
})

test('idle connections that Postgres ends do not end the process', async () => {
  const database = openDatabase({ url: store.url, poolSize: 3, statementTimeoutMs: 1000 })
  const [row] = await database.query<{ pid: number }>(statement('SELECT pg_backend_pid() AS pid'))

  await store.database.query(statement('SELECT pg_terminate_backend($1)', [row?.pid]))

  await expect.poll(() => connections(store.database, row?.pid)).toBe(0)
  // Postgres is done with it before the pool has read so: then its next use finds out, and the one after that works.
  await database.ping().catch((cause) => expect(cause).toBeInstanceOf(UnavailableError))
  await database.ping()
  await database.close()
})

test('a session keeps its connection, so its advisory lock holds until it ends', async () => {
  const tryLock = statement('SELECT pg_try_advisory_lock(4711) AS taken')

  await store.database.session(async (first) => {
    expect(await first.query(tryLock)).toEqual([{ taken: true }])
    await store.database.session(async (second) => expect(await second.query(tryLock)).toEqual([{ taken: false }]))
  })

  await store.database.session(async (third) => expect(await third.query(tryLock)).toEqual([{ taken: true }]))
})

test('a session whose Postgres falls silent is given up, with all that waits behind the statement', async () => {
  const { database, network, stop } = await openBehind(5000, {})
  let stalledAt = 0

  const session = database.session(
    async ({ query }) => {
      await query(statement('SELECT pg_advisory_lock(4712)'))
      network.stall()
      stalledAt = performance.now()
      try {
        await query(statement('SELECT 1'))
      } finally {
        await query(statement('SELECT pg_advisory_unlock(4712)'))
      }
    },
    { statementTimeoutMs: 200 },
  )

  await expect(session).rejects.toBeInstanceOf(UnavailableError)
  expect(performance.now() - stalledAt).toBeLessThan(2_400)
  await stop()
})

test.each(['SELECT 1', 'BEGIN'])('a session that says nothing for too long frees its locks, after %s', async (last) => {
  const { database, network, stop } = await openBehind(5000, {})
  let [hold, leave] = [() => {}, () => {}]
  const isHeld = new Promise<void>((resolve) => {
    hold = resolve
  })
  const isLeft = new Promise<void>((resolve) => {
    leave = resolve
  })
  const holder = database.session(
    async ({ query }) => {
      await query(statement('SELECT pg_advisory_lock(4713)'))
      await query(statement(last))
      network.stall()
      hold()
      await isLeft
      await query(statement('SELECT 1'))
    },
    { statementTimeoutMs: 200, idleTimeoutMs: 500 },
  )
  const fails = expect(holder).rejects.toBeInstanceOf(UnavailableError)
  await isHeld

  const locks = statement("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4713")
  await expect.poll(() => store.database.query(locks), { timeout: 5_000 }).toHaveLength(0)
  leave()
  await fails
  await stop()
})

test('rows come in types that lose nothing', async () => {
  const rows = await store.database.query(
    statement(`SELECT 9007199254740993::int8 AS big, '2031-01-02'::date AS day, 1.10::numeric AS price,
      '2031-01-02T03:04:05.678Z'::timestamptz AS at, '{"a":[1]}'::jsonb AS json, '\\x00ff'::bytea AS bytes`),
  )

  expect(rows).toEqual([
    {
      big: 9007199254740993n,
      day: '2031-01-02',
      price: '1.10',
      at: new Date('2031-01-02T03:04:05.678Z'),
      json: { a: [1] },
      bytes: Buffer.from([0, 255]),
    },
  ])
})

const connections = async (database: Database, pid: number | undefined) =>
  (await database.query(statement('SELECT 1 AS one FROM pg_stat_activity WHERE pid = $1', [pid]))).length

/** Stands between us and Postgres. */
async function openBehind(statementTimeoutMs: number, options: NetworkOptions, poolSize = 1) {
  const url = new URL(store.url)
  const target = { host: url.hostname, port: Number(url.port) }
  const network = await startNetwork(() => target, options)
  url.host = `127.0.0.1:${network.port}`
  const database = openDatabase({ url: url.href, poolSize, statementTimeoutMs })
  return {
    database,
    network,
    stop: async () => {
      await database.close()
      await network.close()
    },
  }
}
