import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Services } from '../../support/system.js'
import { OwnKafka } from './kafka.js'
import { OwnPostgres } from './postgres.js'
import { OwnRedis } from './redis.js'

/** What the rows about failing services need: Kafka's jars, beside the servers that are installed. */
const kafkaLibraries = process.env.TEST_KAFKA_LIBRARIES

/** Whether services of our own can be started. @throws where they are required (CI) and cannot */
export function canOwnServices(): boolean {
  if (kafkaLibraries) return true
  if (process.env.REQUIRE_SERVICES === '1')
    throw new Error('Required but not named in the environment: TEST_KAFKA_LIBRARIES')
  return false
}

/** Three Kafka brokers, a Redis and a Postgres with its standby, started for the rows that break them. */
export interface OwnServices extends Services {
  kafka: OwnKafka
  redis: OwnRedis
  postgres: OwnPostgres
  folder: string
  /** Everything runs and is reached again. */
  heal(): Promise<void>
  stop(): Promise<void>
}

export async function startOwnServices(): Promise<OwnServices> {
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-services-'))
  // Postgres runs as another user.
  await chmod(folder, 0o755)
  const starting = [
    OwnKafka.start(folder, kafkaLibraries ?? ''),
    OwnRedis.start(folder),
    OwnPostgres.start(folder),
  ] as const
  const stop = async () => {
    const started = await Promise.allSettled(starting)
    await Promise.all(started.map((each) => each.status === 'fulfilled' && each.value.stop()))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const [kafka, redis, postgres] = await Promise.all(starting)
    return {
      kafka,
      redis,
      postgres,
      folder,
      stop,
      databaseUrl: await postgres.urlFor('tests'),
      brokers: await kafka.addressesFor('tests'),
      redisUrl: await redis.urlFor('tests'),
      replication: 3,
      environmentOf: async (processName, databaseName) => ({
        BUSBAR_DATABASE_URL: await postgres.urlFor(processName, databaseName),
        BUSBAR_REDIS_URL: await redis.urlFor(processName),
        BUSBAR_KAFKA_BROKERS: await kafka.addressesFor(processName),
      }),
      async heal() {
        for (const link of [...kafka.links, redis.link, postgres.link, postgres.replication]) link.mend()
        await Promise.all([...kafka.brokers, redis.server, postgres.primary].map((server) => server.resume()))
      },
    }
  } catch (cause) {
    await stop()
    throw cause
  }
}
