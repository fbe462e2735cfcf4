import { Redis } from 'ioredis'
import { readLogEnds } from './log-ends.js'
import { type System, services } from './system.js'
import { readTopic } from './topics.js'

/** Bytes that lie somewhere, and where. */
export interface Place {
  where: string
  bytes: Buffer
}

/** Every value of every table: texts, and bytes as bytes. */
export async function* readTables({ database }: System): AsyncIterable<Place> {
  const { rows: tables } = await database.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  )
  for (const { name } of tables) {
    const { rows } = await database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)
    for (const { row } of rows) yield { where: `table ${name}`, bytes: Buffer.from(row) }
    const { rows: columns } = await database.query<{ name: string }>(
      `SELECT quote_ident(attname) AS name FROM pg_attribute
       WHERE attrelid = $1::regclass AND atttypid = 'bytea'::regtype AND NOT attisdropped`,
      [name],
    )
    for (const column of columns) {
      const { rows: values } = await database.query<{ value: Buffer | null }>(
        `SELECT ${column.name} AS value FROM ${name}`,
      )
      for (const { value } of values) yield { where: `table ${name}.${column.name}`, bytes: value ?? Buffer.alloc(0) }
    }
  }
}

/** Every record of every topic, its headers too. */
export async function* readTopics(system: System): AsyncIterable<Place> {
  const ends = [...(await readLogEnds(system))].filter(([, end]) => end > 0n)
  const topics = new Set(ends.map(([place]) => place.slice(0, place.lastIndexOf('/'))))
  for (const topic of topics) {
    for (const { key, value, headers } of await readTopic(system, topic)) {
      yield {
        where: `topic ${topic}`,
        bytes: Buffer.concat([Buffer.from(key), value, Buffer.from(JSON.stringify(headers))]),
      }
    }
  }
}

/** Every key of Redis, of whatever kind, of other systems too. */
export async function* readRedis(): AsyncIterable<Place> {
  const redis = new Redis(services.redisUrl ?? '')
  try {
    for await (const keys of redis.scanStream({ count: 1_000 })) {
      for (const key of keys as string[]) {
        const value = await redis.dumpBuffer(key)
        yield { where: `Redis key ${key}`, bytes: Buffer.concat([Buffer.from(key), value ?? Buffer.alloc(0)]) }
        for (const text of await readTexts(redis, key)) yield { where: `Redis key ${key}`, bytes: text }
      }
    }
  } finally {
    redis.disconnect()
  }
}

/** A dump packs long texts. */
async function readTexts(redis: Redis, key: string): Promise<Buffer[]> {
  switch (await redis.type(key)) {
    case 'string':
      return [(await redis.getBuffer(key)) ?? Buffer.alloc(0)]
    case 'hash':
      return Object.values(await redis.hgetallBuffer(key))
    case 'list':
      return redis.lrangeBuffer(key, 0, -1)
    case 'set':
      return redis.smembersBuffer(key)
    case 'zset':
      return redis.zrangeBuffer(key, '0', '-1')
    case 'stream':
      return [Buffer.from(JSON.stringify(await redis.xrange(key, '-', '+')))]
    default:
      return []
  }
}

/** What is sent to Redis from now on, published messages and scripts included. */
export async function watchRedis(): Promise<{ seen: Place[]; stop(): void }> {
  const redis = new Redis(services.redisUrl ?? '')
  const monitor = await redis.monitor()
  const seen: Place[] = []
  monitor.on('monitor', (_time: string, args: string[]) => {
    seen.push({ where: `sent to Redis: ${args[0]}`, bytes: Buffer.from(args.join(' ')) })
  })
  return {
    seen,
    stop: () => {
      monitor.disconnect()
      redis.disconnect()
    },
  }
}
