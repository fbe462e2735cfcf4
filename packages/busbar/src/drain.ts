import { setTimeout as sleep } from 'node:timers/promises'
import { countUnreadEmbeddedRecords, serviceNames } from '@busbar/backbone'
import { Registry } from 'prom-client'
import type { Config } from './config.js'
import { openLog } from './log.js'
import { openPlatform } from './platform.js'
import { startWorkerRole } from './roles.js'

/**
 * `busbar up --drain`: services read the embedded log to its end, then the process ends. Nothing comes in meanwhile, so
 * a start on Kafka finds nothing left behind.
 */
export async function drainEmbeddedLog(config: Config): Promise<void> {
  const log = openLog(config.values.LOG_LEVEL)
  const platform = await openPlatform(onEmbeddedLog(config), log, new Registry())
  const running = await startWorkerRole(platform, serviceNames)
  try {
    // What a service decides may append to another's lane: empty twice in a row is empty.
    for (let quiet = 0; quiet < 2; ) {
      const unread = await countUnreadEmbeddedRecords(platform.database)
      console.log(`${unread} records unread`)
      quiet = unread === 0 ? quiet + 1 : 0
      await sleep(1_000)
    }
  } finally {
    for (const part of running.toReversed()) await part.stop()
    await platform.close()
  }
}

function onEmbeddedLog({ values, setUp }: Config): Config {
  if (setUp.kind !== 'distributed') return { values, setUp }
  return { values, setUp: { kind: 'embedded-on-postgres', databaseUrl: setUp.databaseUrl } }
}
