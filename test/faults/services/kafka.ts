import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '../../support/processes.js'
import { Link } from './link.js'
import { ServiceProcess } from './service-process.js'

const brokerIds = [1, 2, 3]
/**
 * A broker tells a client the address that belongs to the listener it came to: who is to have a line of its own, there
 * and back, needs a listener of its own.
 */
const users = ['tests', 'api', 'gateway 0', 'gateway 1', 'worker 0', 'worker 1']
const run = promisify(execFile)

interface Ports {
  id: number
  /** By user. */
  clients: ReadonlyMap<string, number>
  internal: number
  controller: number
}

/** Three brokers, each a controller too. What is acknowledged lies on two of them at least. */
export class OwnKafka {
  readonly brokers: readonly ServiceProcess[]
  /** One per broker: clients go through it, brokers among themselves do not. */
  readonly links: readonly Link[]

  private constructor(brokers: ServiceProcess[], links: Link[]) {
    this.brokers = brokers
    this.links = links
  }

  /** @param libraries folder of Kafka's jars */
  static async start(folder: string, libraries: string): Promise<OwnKafka> {
    const ports = await Promise.all(
      brokerIds.map(
        async (id): Promise<Ports> => ({
          id,
          clients: new Map(await Promise.all(users.map(async (user) => [user, await freePort()] as const))),
          internal: await freePort(),
          controller: await freePort(),
        }),
      ),
    )
    const links = ports.map(({ clients }) => new Link((user) => portOf(clients, user)))
    const clusterId = randomBytes(16).toString('base64url')
    const brokers = await Promise.all(
      ports.map((own, index) => prepareBroker(own, ports, links[index] as Link, { folder, libraries, clusterId })),
    )
    const kafka = new OwnKafka(brokers, links)
    try {
      await Promise.all(brokers.map((broker) => broker.start()))
    } catch (cause) {
      await kafka.stop()
      throw cause
    }
    return kafka
  }

  /** host:port of each, comma-separated, through this user's lines. */
  async addressesFor(user: string): Promise<string> {
    return (await Promise.all(this.links.map((link) => addressOf(link, user)))).join(',')
  }

  async stop(): Promise<void> {
    await Promise.all(this.links.map((link) => link.close()))
    await Promise.all(this.brokers.map((broker) => broker.kill()))
  }
}

/** @throws for one that has no listener */
function portOf(clients: Ports['clients'], user: string): number {
  const port = clients.get(user)
  if (port === undefined) throw new Error(`Kafka does not listen for ${user}`)
  return port
}

const addressOf = async (link: Link, user: string) => `127.0.0.1:${await link.portFor(user)}`

async function prepareBroker(
  { id, clients, internal, controller }: Ports,
  all: readonly Ports[],
  link: Link,
  { folder, libraries, clusterId }: { folder: string; libraries: string; clusterId: string },
): Promise<ServiceProcess> {
  const home = path.join(folder, `kafka-${id}`)
  await mkdir(home)
  const listeners = [...clients].map(([user, port], index) => ({ name: `CLIENT_${index}`, user, port }))
  const advertised = await Promise.all(
    listeners.map(async ({ name, user }) => `${name}://${await addressOf(link, user)}`),
  )
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': id,
    listeners: [
      ...listeners.map(({ name, port }) => `${name}://127.0.0.1:${port}`),
      `INTERNAL://127.0.0.1:${internal}`,
      `CONTROLLER://127.0.0.1:${controller}`,
    ].join(','),
    'advertised.listeners': [...advertised, `INTERNAL://127.0.0.1:${internal}`].join(','),
    'listener.security.protocol.map': [...listeners.map(({ name }) => name), 'INTERNAL', 'CONTROLLER']
      .map((name) => `${name}:PLAINTEXT`)
      .join(','),
    'inter.broker.listener.name': 'INTERNAL',
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': all.map((each) => `${each.id}@127.0.0.1:${each.controller}`).join(','),
    'log.dirs': path.join(home, 'data'),
    'auto.create.topics.enable': false,
    'default.replication.factor': 3,
    'min.insync.replicas': 2,
    'unclean.leader.election.enable': false,
    // A dead broker is missed after this; until then its partitions take nothing.
    'broker.session.timeout.ms': 4_000,
    'broker.heartbeat.interval.ms': 1_000,
    'message.max.bytes': 5_767_168,
    'replica.fetch.max.bytes': 5_767_168,
    'offsets.topic.replication.factor': 3,
    'offsets.topic.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 6_000,
    'log.segment.bytes': 67_108_864,
    'log.index.size.max.bytes': 1_048_576,
    'log.cleaner.dedupe.buffer.size': 16_777_216,
    // Of each listener.
    'num.network.threads': 1,
    'num.io.threads': 4,
  }
  const file = path.join(home, 'server.properties')
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  const java = [
    '-Xms64m',
    '-Xmx320m',
    // Two cores for three of them: what starts soon counts for more than what runs fastest.
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `-Dlog4j2.configurationFile=${fileURLToPath(new URL('../../../deploy/local/log4j2.xml', import.meta.url))}`,
    '-cp',
    path.join(libraries, '*'),
  ]
  await run('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file])
  return new ServiceProcess({
    name: `Kafka ${id}`,
    command: 'java',
    args: [...java, 'kafka.Kafka', file],
    logFile: path.join(folder, `kafka-${id}.log`),
    answers: () => answers(portOf(clients, 'tests')),
  })
}

/** ApiVersions (key 18, version 0) is answered by a broker that has joined. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255]))
    })
    const done = (isThere: boolean) => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('data', () => done(true))
    socket.once('error', () => done(false))
    socket.once('close', () => done(false))
    socket.setTimeout(2_000, () => done(false))
  })
}
