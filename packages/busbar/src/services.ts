import { readFile } from 'node:fs/promises'
import { findRedisWeaknesses, findTopicWeaknesses, type KafkaAccess, type RedisAddress } from '@busbar/backbone'
import { findPostgresWeaknesses } from '@busbar/store'
import type { Logger } from 'pino'
import { type Config, ConfigError, type SetUp } from './config.js'
import { withWayOut } from './protection.js'

type Distributed = Extract<SetUp, { kind: 'distributed' }>

/** Where Kafka and Redis are, and how they know us. @throws ConfigError naming each file that cannot be read */
export async function readAddresses(
  { values }: Config,
  { brokers, redisUrl }: Distributed,
): Promise<{ kafka: { brokers: string[]; access: KafkaAccess }; redis: RedisAddress }> {
  const { KAFKA_SASL: mechanism, KAFKA_USERNAME: username = '', KAFKA_PASSWORD: password = '' } = values
  const names = ['KAFKA_TLS_CA', 'KAFKA_TLS_CERTIFICATE', 'KAFKA_TLS_KEY', 'REDIS_TLS_CA'] as const
  const problems: string[] = []
  const [kafkaCa, cert, key, redisCa] = await Promise.all(
    names.map(async (name) => {
      const file = values[name]
      if (file === undefined) return undefined
      return readFile(file, 'utf8').catch((cause: Error) => void problems.push(`BUSBAR_${name}: ${cause.message}`))
    }),
  )
  if (problems.length > 0) throw new ConfigError(problems)
  const tls = { ...(kafkaCa && { ca: kafkaCa }), ...(cert && { cert }), ...(key && { key }) }
  const sasl = mechanism ? { mechanism, username, password } : null
  return {
    kafka: { brokers, access: { tls: values.KAFKA_TLS ? tls : null, sasl } },
    redis: { url: redisUrl, ...(redisCa && { ca: redisCa }) },
  }
}

/** A service that does not let us in will not by itself. @returns the setting to look at; any other error as it came */
export function toRefusal(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause
  const code = 'code' in cause ? String(cause.code) : ''
  if (noEntry.test(code)) return new ConfigError([`BUSBAR_DATABASE_URL: ${cause.message}`])
  const isLogin = cause.cause instanceof Error && cause.cause.name === 'KafkaJSSASLAuthenticationError'
  return isLogin ? new ConfigError([`BUSBAR_KAFKA_SASL: ${cause.message}`]) : cause
}

/** SQLSTATEs of a user or password that is refused, and of a database that is not there. */
const noEntry = /^(28...|3D000)$/

/**
 * Asks the services themselves: whether they let in anybody, may lose what they acknowledged, or do not take what we send.
 * @throws ConfigError naming everything that is wrong with them; UnavailableError when Postgres or Kafka is away
 */
export async function refuseUnsafeServices(config: Config, log: Logger): Promise<void> {
  const { setUp, values } = config
  if (values.DEV_SERVICES || setUp.kind === 'embedded') return
  const problems = (await findPostgresWeaknesses(setUp.databaseUrl)).map((each) => `BUSBAR_DATABASE_URL: ${each}`)
  if (setUp.kind === 'distributed') {
    const { kafka, redis } = await readAddresses(config, setUp)
    const ofRedis = await findRedisWeaknesses(redis, log).catch((cause: Error) => {
      throw new ConfigError([...problems, `BUSBAR_REDIS_URL: ${cause.message}`])
    })
    problems.push(...(ofRedis ?? []).map((each) => `BUSBAR_REDIS_URL: ${each}`))
    const ofTopics = await findTopicWeaknesses(kafka, values.TOPIC_PREFIX)
    problems.push(...ofTopics.map((each) => `BUSBAR_REPLICATION: ${each}`))
  }
  if (problems.length > 0) throw new ConfigError(withWayOut(problems))
}
