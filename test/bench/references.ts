import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'
import { services } from '../support/system.js'
import { lineOf, type Measured, startScript, underLoad } from './measure.js'
import { stationPrefix } from './product.js'

export interface References {
  measure(roles: readonly string[], lingerMs: number, load: Record<string, string | number>): Promise<Measured>
  close(): Promise<void>
}

/** The references' own topic and table, on the same broker and database as the product. */
export async function openReferences(stations: number): Promise<References> {
  const { databaseUrl = '', brokers = '', redisUrl = '' } = services
  const topic = `thin_${process.pid}`
  const admin = new Kafka({ clientId: 'bench', brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 12 }] })
  const database = new pg.Pool({ connectionString: databaseUrl })
  await database.query(`CREATE TABLE IF NOT EXISTS thin_transaction (
    id bigserial PRIMARY KEY, station text NOT NULL, message_id text NOT NULL, started_at timestamptz NOT NULL,
    UNIQUE (station, message_id))`)
  return {
    async measure(roles, lingerMs, load) {
      const options = { topic, lingerMs, brokers, database: databaseUrl, redis: redisUrl }
      const children = roles.map((role) => startScript('reference.ts', { role, ...options }))
      try {
        const ports = await Promise.all(children.map((child) => lineOf(child, 'ready ')))
        const pids = children.map(({ pid }) => pid ?? 0)
        return await underLoad(pids, { stations, prefix: stationPrefix, ports: ports.at(-1) ?? '', ...load })
      } finally {
        for (const child of children) child.kill('SIGKILL')
      }
    },
    async close() {
      await admin.deleteTopics({ topics: [topic] })
      await admin.disconnect()
      await database.query('DROP TABLE thin_transaction')
      await database.end()
    },
  }
}
