import net from 'node:net'
import { createInterface } from 'node:readline'
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

/** Every record of every topic of the system, its headers too: no process is told a name without its prefix. */
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

/**
 * Watches Redis from now on.
 * @returns sent: all commands of whatever client, published messages and scripts included
 */
export async function watchRedis(): Promise<{ sent: Place[]; touched(): AsyncIterable<Place>; stop(): void }> {
  const url = new URL(services.redisUrl ?? '')
  const redis = new Redis(url.href)
  // Not over ioredis, which breaks when what another client sends comes together with the first answer.
  const monitor = net.connect(Number(url.port), url.hostname)
  const sent: Place[] = []
  await new Promise<void>((resolve, reject) => {
    monitor.once('error', reject)
    createInterface(monitor).on('line', (line) => {
      if (line === '+OK') return resolve()
      if (line.startsWith('-')) return reject(new Error(line))
      const args = line.slice(line.indexOf('"') + 1, -1).split('" "')
      sent.push({ where: `sent to Redis: ${args[0]}`, bytes: Buffer.from(args.join(' ').replaceAll('\\"', '"')) })
    })
    monitor.write('MONITOR\r\n')
  })
  const startedAt = performance.now()
  return {
    sent,
    touched: () => readTouched(redis, startedAt),
    stop: () => {
      monitor.destroy()
      redis.disconnect()
    },
  }
}

/** Redis counts idle time in whole seconds, by a clock that may be a moment behind. */
const idleSlackSeconds = 2

/**
 * Every key that anybody has made or come to since, of whatever kind and name: one that was idle all the time was not written, so
 * what earlier tests left is passed over, and nothing that a system put outside its prefix. Only while Redis saves to disk
 * does it mark nobody coming to a list or hash of before; what is added to one then is in `sent`, as all is.
 */
async function* readTouched(redis: Redis, since: number): AsyncIterable<Place> {
  for await (const keys of redis.scanStream({ count: 1_000 })) {
    const asked = redis.pipeline((keys as string[]).map((key) => ['object', 'idletime', key]))
    const idle = (await asked.exec()) ?? []
    const seconds = (performance.now() - since) / 1_000 + idleSlackSeconds
    for (const [index, key] of (keys as string[]).entries()) {
      const [cause, idleSeconds] = idle[index] ?? []
      if (cause) throw cause
      if (typeof idleSeconds === 'number' && idleSeconds > seconds) continue
      const where = `Redis key ${key}`
      const dump = await redis.dumpBuffer(key)
      yield { where, bytes: Buffer.concat([Buffer.from(key), dump ?? Buffer.alloc(0)]) }
      for (const bytes of await readTexts(redis, key)) yield { where, bytes }
    }
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

const bulkBytes = 1_000_000

/** Those that hold one of the texts. Looked through in bulk: what many together do not hold, none of them does. */
export async function* placesOf(
  places: AsyncIterable<Place> | Iterable<Place>,
  texts: readonly Buffer[],
): AsyncIterable<Place> {
  const holdsOne = (bytes: Buffer) => texts.some((text) => bytes.includes(text))
  let bulk: Place[] = []
  let size = 0
  const sifted = () => {
    const looked = bulk
    bulk = []
    size = 0
    return holdsOne(Buffer.concat(looked.map(({ bytes }) => bytes)))
      ? looked.filter(({ bytes }) => holdsOne(bytes))
      : []
  }
  for await (const place of places) {
    bulk.push(place)
    size += place.bytes.length
    if (size >= bulkBytes) yield* sifted()
  }
  yield* sifted()
}
