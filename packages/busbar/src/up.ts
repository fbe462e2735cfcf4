import path from 'node:path'
import { createFirstApiKey } from '@busbar/api'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Config } from './config.js'
import { openPlatform, type Platform, readOrMake } from './platform.js'
import type { Running } from './roles.js'

/** As `openPlatform`, for the command that also knows the embedded log. */
export function openForUp(config: Config, log: Logger, metrics: Registry, _options: { drain: boolean }) {
  return openPlatform(config, log, metrics)
}

/** Tells a newcomer where things are. @returns the first API key; null when other keys exist and it is not kept here */
export async function printWelcome(
  { config, database }: Platform,
  { gateway, api, startedAt }: { gateway: Running; api: Running; startedAt: number },
): Promise<string | null> {
  const { DATA_DIR, DEV } = config.values
  const key = await readOrMake(DATA_DIR, 'first-api-key', async () => (await createFirstApiKey(database))?.key ?? '')
  const lines = [
    `Busbar runs (${config.setUp.kind}, ${((Date.now() - startedAt) / 1_000).toFixed(1)} s to start)`,
    '',
    `  stations connect to   ws://localhost:${gateway.port}/ocpp/<station id>${DEV ? '   (--dev: unknown ones too)' : ''}`,
    `  API and its docs      http://localhost:${api.port}/docs`,
    `  API key               ${key || 'made earlier; `busbar keys create <name>` makes another'}`,
    `  data                  ${path.resolve(DATA_DIR)}`,
    '',
    '  Ctrl-C stops it.',
  ]
  console.log(`\n${lines.join('\n')}\n`)
  return key || null
}
