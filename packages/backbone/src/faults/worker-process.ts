/*
 * A worker in a process of its own, for tests that freeze or kill it. Applies records like a service would, slowly:
 * arguments: database url, brokers, redis url, prefix, partitions, milliseconds between load and commit.
 * Prints a line for each assignment, batch, commit and failure.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { openDistributedBackbone } from '../index.js'
import { insertApplied } from './applied.js'

const [url = '', brokers = '', redisUrl = '', topicPrefix = '', partitions = '', delayMs = ''] = process.argv.slice(2)
const database = openDatabase({ url, poolSize: 3, statementTimeoutMs: 5000 })
const backbone = await openDistributedBackbone({
  database,
  brokers: brokers.split(','),
  redis: { url: redisUrl },
  topicPrefix,
  partitions: Number(partitions),
  log: pino({ level: 'silent' }),
  metrics: new Registry(),
})
const consumer = await backbone.log.consume({
  service: 'stations',
  topics: [backbone.topics.lane('stations')],
  onAssigned: (assigned) => console.log(`assigned ${assigned.join(',')}`),
  onBatch: async (batch) => {
    console.log(`batch ${batch.records.length}`)
    await sleep(Number(delayMs))
    try {
      await database.commit([insertApplied('child', batch.records), batch.advance])
    } catch (cause) {
      console.log(`failed ${cause instanceof Error ? cause.name : cause}`)
      throw cause
    }
    console.log('committed')
  },
})
process.on('SIGTERM', async () => {
  await consumer.stop()
  await backbone.close()
  await database.close()
})
console.log('ready')
