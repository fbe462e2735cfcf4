import path from 'node:path'
import { createFirstApiKey } from '@busbar/api'
import { type Platform, readOrMake } from './platform.js'
import type { Running } from './roles.js'

/** Tells a newcomer where things are. @returns the first API key; null when other keys exist and it is not kept here */
export async function printWelcome(
  { config, database }: Platform,
  { gateway, api, startedAt }: { gateway: Running & { tlsPort: number | null }; api: Running; startedAt: number },
): Promise<string | null> {
  const { DATA_DIR, DEV } = config.values
  const key = await readOrMake(DATA_DIR, 'first-api-key', async () => (await createFirstApiKey(database))?.key ?? '')
  const lines = [
    `Busbar runs (${config.setUp.kind}, ${((Date.now() - startedAt) / 1_000).toFixed(1)} s to start)`,
    '',
    `  stations connect to   ws://localhost:${gateway.port}/ocpp/<station id>${DEV ? '   (--dev: unknown ones too)' : ''}`,
    ...(gateway.tlsPort ? [`  or, over TLS,         wss://localhost:${gateway.tlsPort}/ocpp/<station id>`] : []),
    `  API and its docs      http://localhost:${api.port}/docs`,
    `  API key               ${key || 'made earlier; `busbar keys create <name>` makes another'}`,
    `  data                  ${path.resolve(DATA_DIR)}`,
    '',
    '  Ctrl-C stops it.',
  ]
  console.log(`\n${lines.join('\n')}\n`)
  return key || null
}
