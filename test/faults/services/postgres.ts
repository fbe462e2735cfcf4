import { execFile, execFileSync } from 'node:child_process'
import { appendFile, chown, mkdir, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort, until } from '../../support/processes.js'
import { Link } from './link.js'
import { ServiceProcess } from './service-process.js'

const run = promisify(execFile)
const standbyName = 'standby'

interface Server {
  process: ServiceProcess
  port: number
  data: string
}

/** Postgres refuses to run as root, so root hands over to the user that Debian made. */
interface Owner {
  uid?: number
  gid?: number
}

/** A Postgres with a synchronous standby: what it has committed lies on both. */
export class OwnPostgres {
  readonly link: Link
  /** From the standby to its primary. */
  readonly replication: Link
  readonly #folder: string
  readonly #binaries: string
  readonly #owner: Owner
  #primary: Server
  #standby: Server | null = null
  #count = 0

  private constructor(folder: string, binaries: string, owner: Owner, port: number) {
    this.#folder = folder
    this.#binaries = binaries
    this.#owner = owner
    this.link = new Link(() => port)
    this.replication = new Link(() => port)
    this.#primary = this.#server(path.join(folder, 'postgres-0'), port)
  }

  /** @param folder that everybody may enter */
  static async start(folder: string): Promise<OwnPostgres> {
    const postgres = new OwnPostgres(folder, await newestBinaries(), ownerOf(), await freePort())
    const { data, process } = postgres.#primary
    await postgres.#makeFolder(data)
    await postgres.#run(
      'initdb',
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    )
    await process.start()
    await postgres.addStandby()
    return postgres
  }

  /** Takes writes. */
  get primary(): ServiceProcess {
    return this.#primary.process
  }

  /** Through this user's line. */
  async urlFor(user: string, database = 'postgres'): Promise<string> {
    return `postgres://postgres@127.0.0.1:${await this.link.portFor(user)}/${database}`
  }

  /** A new standby of the primary; from then on a commit waits for it. */
  async addStandby(): Promise<void> {
    await this.#standby?.process.kill()
    const standby = await this.#newServer()
    await this.backUp(standby.data, '-R')
    const source = `host=127.0.0.1 port=${await this.replication.portFor(standbyName)} user=postgres application_name=${standbyName}`
    await appendFile(path.join(standby.data, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\n`)
    await standby.process.start()
    this.#standby = standby
    await this.waitForStandby(true)
    await until('the standby is synchronous', () =>
      onPostgres(this.#primary.port, async (client) => {
        const { rows } = await client.query("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'")
        return rows.length > 0
      }),
    )
  }

  /** @param waits false: what is committed may be lost with the primary */
  async waitForStandby(waits: boolean): Promise<void> {
    await onPostgres(this.#primary.port, async (client) => {
      await client.query(`ALTER SYSTEM SET synchronous_standby_names = '${waits ? standbyName : ''}'`)
      await client.query('SELECT pg_reload_conf()')
    })
  }

  /** The primary is dead, or dies now; the standby takes its place and its address. */
  async failOver(): Promise<void> {
    const standby = this.#standby
    if (!standby) throw new Error('there is no standby')
    await this.#primary.process.kill()
    await onPostgres(standby.port, (client) => client.query('SELECT pg_promote(true, 60)'))
    this.#standby = null
    await this.#take(standby)
  }

  /** What the primary has on its disk. */
  async megabytes(): Promise<number> {
    const { stdout } = await run('du', ['-sm', this.#primary.data])
    return Number.parseInt(stdout, 10)
  }

  /** Copies the primary while it works. */
  async backUp(folder: string, ...options: string[]): Promise<void> {
    await this.#makeFolder(folder)
    const source = ['-h', '127.0.0.1', '-p', String(this.#primary.port), '-U', 'postgres']
    await this.#run(
      'pg_basebackup',
      ...source,
      '-D',
      folder,
      '-X',
      'stream',
      '--checkpoint=fast',
      '--no-sync',
      ...options,
    )
  }

  /** The primary and its disk are lost: a server on the backup takes its place, without a standby. */
  async restore(backup: string): Promise<void> {
    await this.#primary.process.kill()
    await this.#standby?.process.kill()
    this.#standby = null
    const server = await this.#newServer()
    await this.#copy(backup, server)
    // Else its first commit would wait for a standby for ever.
    await appendFile(path.join(server.data, 'postgresql.auto.conf'), "synchronous_standby_names = ''\n")
    await this.#take(server)
  }

  /** Goes on in another folder, as on another disk. */
  async moveTo(folder: string): Promise<void> {
    const before = this.#primary
    await before.process.kill()
    const server = this.#server(folder, await freePort())
    await this.#copy(before.data, server)
    await this.#take(server)
  }

  async stop(): Promise<void> {
    await Promise.all([this.link.close(), this.replication.close()])
    await Promise.all([this.#primary.process.kill(), this.#standby?.process.kill()])
  }

  async #copy(data: string, server: Server): Promise<void> {
    await this.#makeFolder(server.data)
    await this.#run('cp', '-a', `${data}/.`, server.data)
  }

  /** The server becomes the primary. */
  async #take(server: Server): Promise<void> {
    await server.process.start()
    this.#primary = server
    this.link.retarget(server.port)
    this.replication.retarget(server.port)
  }

  async #newServer(): Promise<Server> {
    return this.#server(path.join(this.#folder, `postgres-${++this.#count}`), await freePort())
  }

  #server(data: string, port: number): Server {
    // WAL is kept for a standby that was away a while; of it, a small disk would not hold the default gigabyte.
    const settings = { max_connections: 120, wal_keep_size: '64MB', max_wal_size: '128MB', hot_standby: 'on' }
    const process = new ServiceProcess({
      name: `Postgres on ${port}`,
      command: path.join(this.#binaries, 'postgres'),
      args: ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', ...toOptions(settings)],
      options: { ...this.#owner, cwd: this.#folder },
      logFile: path.join(this.#folder, `postgres-${port}.log`),
      // SIGKILL would leave the processes of its connections behind.
      killSignal: 'SIGQUIT',
      answers: () => onPostgres(port, async () => true).catch(() => false),
    })
    return { process, port, data }
  }

  async #makeFolder(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { mode: 0o700 })
    const { uid, gid } = this.#owner
    if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid)
  }

  async #run(command: string, ...args: string[]): Promise<void> {
    const file = command === 'cp' ? command : path.join(this.#binaries, command)
    await run(file, args, { ...this.#owner, cwd: this.#folder })
  }
}

const toOptions = (settings: Record<string, string | number>) =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])

async function newestBinaries(): Promise<string> {
  const root = '/usr/lib/postgresql'
  const versions = (await readdir(root)).map(Number).sort((left, right) => right - left)
  return path.join(root, String(versions[0]), 'bin')
}

function ownerOf(): Owner {
  if (process.getuid?.() !== 0) return {}
  const idOf = (kind: '-u' | '-g') => Number(execFileSync('id', [kind, 'postgres'], { encoding: 'utf8' }))
  return { uid: idOf('-u'), gid: idOf('-g') }
}

async function onPostgres<Result>(port: number, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
