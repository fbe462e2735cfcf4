import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, chown, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { ServiceProcess } from '../faults/services/service-process.js'
import type { Identity } from './certificates.js'
import { freePort } from './processes.js'

// Services that ask who comes, over TLS, on loopback and for one test.

const run = promisify(execFile)

export interface OwnService {
  port: number
  server: ServiceProcess
}

/** PEM files of a server. */
export interface ServerFiles {
  certificate: string
  key: string
  ca: string
}

/** @param folder to hold them, readable for whoever runs the servers */
export async function writeServerFiles(folder: string, identity: Identity, ca: string): Promise<ServerFiles> {
  const files = { certificate: path.join(folder, 'server.pem'), key: path.join(folder, 'server.key') }
  await writeFile(files.certificate, identity.chain)
  await writeFile(files.key, identity.key, { mode: 0o600 })
  const caFile = path.join(folder, 'ca.pem')
  await writeFile(caFile, ca)
  return { ...files, ca: caFile }
}

/** @param settings lines of redis.conf */
export async function startRedis(folder: string, settings: readonly string[], tls?: ServerFiles): Promise<OwnService> {
  const port = await freePort()
  const home = path.join(folder, `redis-${port}`)
  await mkdir(home)
  const ports = tls
    ? [
        ...['port 0', `tls-port ${port}`, 'tls-auth-clients no'],
        ...[`tls-cert-file ${tls.certificate}`, `tls-key-file ${tls.key}`, `tls-ca-cert-file ${tls.ca}`],
      ]
    : [`port ${port}`]
  const conf = path.join(home, 'redis.conf')
  await writeFile(conf, ['bind 127.0.0.1', `dir ${home}`, 'save ""', ...ports, ...settings, ''].join('\n'))
  return started(`Redis on ${port}`, port, { command: 'redis-server', args: [conf], logFile: path.join(home, 'log') })
}

/**
 * Of Debian's package; root hands over to the user that came with it.
 * @param hba lines of pg_hba.conf, @param password of the user postgres
 */
export async function startPostgres(
  folder: string,
  { hba, password, tls }: { hba: readonly string[]; password: string; tls: ServerFiles },
): Promise<OwnService> {
  const port = await freePort()
  const home = path.join(folder, `postgres-${port}`)
  await mkdir(home)
  const passwordFile = path.join(folder, `postgres-${port}.password`)
  await writeFile(passwordFile, password)
  const own = { certificate: `${home}.pem`, key: `${home}.key` }
  await copyFile(tls.certificate, own.certificate)
  await copyFile(tls.key, own.key)
  const user = await postgresUser()
  if (user) for (const file of [home, passwordFile, own.certificate, own.key]) await chown(file, user.uid, user.gid)
  const bin = await postgresFolder()
  const initdb = ['-D', home, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync']
  await run(path.join(bin, 'initdb'), initdb, { ...user, cwd: '/' })
  await writeFile(path.join(home, 'pg_hba.conf'), `${hba.join('\n')}\n`)
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', ssl: 'on' }
  const files = { ssl_cert_file: own.certificate, ssl_key_file: own.key, max_connections: '100' }
  const args = Object.entries({ ...settings, ...files }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return started(`Postgres on ${port}`, port, {
    command: path.join(bin, 'postgres'),
    args: ['-D', home, ...args],
    options: { ...user, cwd: '/' },
    logFile: `${home}.log`,
    // SIGKILL would leave the processes of its connections behind.
    killSignal: 'SIGQUIT',
  })
}

export interface KafkaUser {
  name: string
  password: string
}

/** Brokers that ask who comes by SASL over TLS: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
export async function startKafka(
  folder: string,
  brokers: number,
  user: KafkaUser,
  tls: ServerFiles,
): Promise<OwnService[]> {
  const clusterId = randomBytes(16).toString('base64url')
  const nodes = await Promise.all(
    Array.from({ length: brokers }, async (_, index) => ({
      id: index + 1,
      home: path.join(folder, `kafka-${index + 1}`),
      port: await freePort(),
      inner: await freePort(),
      controller: await freePort(),
    })),
  )
  const keyStore = path.join(folder, 'kafka.pem')
  await writeFile(keyStore, `${await readFile(tls.key, 'utf8')}${await readFile(tls.certificate, 'utf8')}`)
  const login = 'org.apache.kafka.common.security'
  const settings = ({ id, home, port, inner, controller }: (typeof nodes)[number]) => ({
    'process.roles': 'broker,controller',
    'node.id': id,
    listeners: `OUTER://127.0.0.1:${port},INNER://127.0.0.1:${inner},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `OUTER://127.0.0.1:${port},INNER://127.0.0.1:${inner}`,
    'listener.security.protocol.map': 'OUTER:SASL_SSL,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'INNER',
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': nodes.map((node) => `${node.id}@127.0.0.1:${node.controller}`).join(','),
    'log.dirs': path.join(home, 'data'),
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.outer.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_${user.name}="${user.password}";`,
    'listener.name.outer.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'listener.name.outer.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keyStore,
    'auto.create.topics.enable': 'false',
    'message.max.bytes': 5_767_168,
    'replica.fetch.max.bytes': 5_767_168,
    'offsets.topic.num.partitions': 2,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 6_000,
    'log.index.size.max.bytes': 65_536,
    'log.cleaner.enable': 'false',
    'num.network.threads': 1,
    'num.io.threads': 2,
  })
  const java = [
    '-Xms64m',
    '-Xmx256m',
    '-XX:TieredStopAtLevel=1',
    '-cp',
    path.join(process.env.TEST_KAFKA_LIBRARIES ?? '', '*'),
  ]
  return Promise.all(
    nodes.map(async (node) => {
      await mkdir(node.home)
      const file = path.join(node.home, 'server.properties')
      const lines = Object.entries(settings(node)).map(([name, value]) => `${name}=${value}`)
      await writeFile(file, `${lines.join('\n')}\n`)
      const credentials = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
        '--add-scram',
        `${mechanism}=[name=${user.name},password=${user.password}]`,
      ])
      await run('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file, ...credentials])
      const spec = { command: 'java', args: [...java, 'kafka.Kafka', file], logFile: path.join(node.home, 'log') }
      return started(`Kafka ${node.id}`, node.port, spec)
    }),
  )
}

async function started(
  name: string,
  port: number,
  spec: Omit<ConstructorParameters<typeof ServiceProcess>[0], 'name' | 'answers'>,
): Promise<OwnService> {
  const server = new ServiceProcess({ ...spec, name, answers: () => takesConnections(port) })
  await server.start()
  return { port, server }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.destroy())
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
}

async function postgresUser(): Promise<{ uid: number; gid: number } | null> {
  if (process.getuid?.() !== 0) return null
  const idOf = async (option: string) => Number((await run('id', [option, 'postgres'])).stdout)
  return { uid: await idOf('-u'), gid: await idOf('-g') }
}

async function postgresFolder(): Promise<string> {
  const versions = await readdir('/usr/lib/postgresql')
  const newest = versions.toSorted((left, right) => Number(left) - Number(right)).at(-1) ?? ''
  return path.join('/usr/lib/postgresql', newest, 'bin')
}

/** A folder whose path others may pass, as Postgres under a user of its own has to. */
export async function open(folder: string): Promise<string> {
  await chmod(folder, 0o755)
  return folder
}
