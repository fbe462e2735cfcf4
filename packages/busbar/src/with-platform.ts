import { Registry } from 'prom-client'
import type { Config } from './config.js'
import { openLog } from './log.js'
import { openPlatform, type Platform } from './platform.js'

/** For commands that do one thing and end. */
export async function withPlatform<T>(config: Config, work: (platform: Platform) => Promise<T>): Promise<T> {
  const log = openLog('warn')
  const platform = await openPlatform(config, log, new Registry())
  try {
    return await work(platform)
  } finally {
    await platform.close()
  }
}
