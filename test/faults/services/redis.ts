import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from '../../support/processes.js'
import { Link } from './link.js'
import { ServiceProcess } from './service-process.js'

/** One Redis that keeps what it was told on disk. */
export class OwnRedis {
  readonly server: ServiceProcess
  readonly link: Link
  readonly #port: number

  private constructor(server: ServiceProcess, port: number) {
    this.server = server
    this.#port = port
    this.link = new Link(() => port)
  }

  static async start(folder: string): Promise<OwnRedis> {
    const dir = path.join(folder, 'redis')
    await mkdir(dir)
    const port = await freePort()
    const settings = { bind: '127.0.0.1', port, dir, save: '', appendonly: 'yes', 'maxmemory-policy': 'noeviction' }
    const server = new ServiceProcess({
      name: 'Redis',
      command: 'redis-server',
      args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
      logFile: path.join(folder, 'redis.log'),
      answers: () => onRedis(port, async (redis) => (await redis.ping()) === 'PONG').catch(() => false),
    })
    await server.start()
    return new OwnRedis(server, port)
  }

  /** Through this user's line. */
  async urlFor(user: string): Promise<string> {
    return `redis://127.0.0.1:${await this.link.portFor(user)}`
  }

  /** All keys are gone. */
  flush(): Promise<unknown> {
    return onRedis(this.#port, (redis) => redis.flushall())
  }

  async stop(): Promise<void> {
    await this.link.close()
    await this.server.kill()
  }
}

async function onRedis<Result>(port: number, work: (redis: Redis) => Promise<Result>): Promise<Result> {
  const redis = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 })
  redis.on('error', () => {})
  try {
    await redis.connect()
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}
