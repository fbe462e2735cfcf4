import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from './database.js'
import { type EmbeddedPostgres, findEmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js'
import { UnavailableError } from './errors.js'

const log = pino({ level: 'silent' })
let dataDir: string
let running: EmbeddedPostgres[]
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'busbar embedded '))
  running = []
})
afterEach(async () => {
  for (const server of running) await server.stop()
  await rm(dataDir, { recursive: true })
})

async function start(port = 0) {
  const server = await startEmbeddedPostgres({ dataDir, port }, log)
  running.push(server)
  return server
}

async function query(url: string, text: string) {
  const database = openDatabase({ url, poolSize: 1, statementTimeoutMs: 5000 })
  try {
    return await database.query({ text, values: [] })
  } finally {
    await database.close()
  }
}

const pidFile = () => path.join(dataDir, 'cluster', 'postmaster.pid')

test('a second start finds the data of the first', async () => {
  const first = await start()
  await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS seven')

  await first.stop()
  await expect(query(first.url, 'SELECT 1')).rejects.toBeInstanceOf(UnavailableError)
  expect(await findEmbeddedPostgres(dataDir)).toBeNull()

  const second = await start()
  expect(await query(second.url, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }])
})

test.runIf(process.getuid?.() === 0)(
  'root starts it where no other account may enter, and finds it again',
  async () => {
    await chmod(dataDir, 0o700)
    const folder = path.join(dataDir, 'data')
    const first = await startEmbeddedPostgres({ dataDir: folder, port: 0 }, log)
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS seven')
    await first.stop()

    const second = await startEmbeddedPostgres({ dataDir: folder, port: 0 }, log)
    running.push(second)
    expect(await query(second.url, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }])
  },
)

test('speaks UTF-8 and UTC, on loopback, behind a password only its owner may read', async () => {
  const server = await start()

  expect(
    await query(
      server.url,
      `SELECT current_setting('server_encoding') AS encoding, current_setting('timezone') AS zone,
        current_setting('listen_addresses') AS addresses, lower('ÄÖ') AS folded`,
    ),
  ).toEqual([{ encoding: 'UTF8', zone: 'UTC', addresses: '127.0.0.1', folded: 'äö' }])
  expect((await stat(path.join(dataDir, 'password'))).mode & 0o777).toBe(0o600)
  const guessed = new URL(server.url)
  guessed.password = 'postgres'
  await expect(query(guessed.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
})

test('a second Busbar on the folder is told so, and the first goes on', async () => {
  const first = await start()

  await expect(start()).rejects.toThrow(`Another Busbar is using ${dataDir}:`)
  expect(await findEmbeddedPostgres(dataDir)).toBe(first.url)

  expect(await query(first.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
})

test('takes the port it is given, and says so when it is taken', async () => {
  const first = await start()
  const port = Number(new URL(first.url).port)
  const elsewhere = await mkdtemp(path.join(tmpdir(), 'busbar-embedded-'))

  await expect(startEmbeddedPostgres({ dataDir: elsewhere, port }, log)).rejects.toThrow(/Address already in use/)

  await rm(elsewhere, { recursive: true })
  await first.stop()
  expect(new URL((await start(port)).url).port).toBe(String(port))
})

test('the Postgres of a Busbar that was killed is stopped, and what was committed is there', async () => {
  const busbar = startElsewhere()
  const [chunk] = await once(busbar.stdout ?? busbar, 'data')
  const orphan = String(chunk).trim()
  await query(orphan, 'CREATE TABLE kept AS SELECT 7 AS seven')
  busbar.kill('SIGKILL')
  await once(busbar, 'exit')
  expect(await query(orphan, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }])
  expect(await findEmbeddedPostgres(dataDir)).toBeNull()

  const server = await start()

  await expect(query(orphan, 'SELECT 1')).rejects.toBeInstanceOf(UnavailableError)
  expect(await query(server.url, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }])
})

test('a pid file left by a power cut does not stop the start, even when another process has the number now', async () => {
  const first = await start()
  const left = await readFile(pidFile(), 'utf8')
  await first.stop()
  await writeFile(pidFile(), left.replace(/^\d+/, String(process.pid)))

  expect(await query((await start()).url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
})

/** A process of its own that starts Postgres on the folder and prints the URL. */
function startElsewhere(): ChildProcess {
  const source = fileURLToPath(new URL('embedded-postgres.ts', import.meta.url))
  const script = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(source)})
    const log = { info() {}, warn() {}, error() {} }
    console.log((await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, port: 0 }, log)).url)
    setInterval(() => {}, 1000)`
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
  })
}
