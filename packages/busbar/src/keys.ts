import { createApiKey, isApiRole, revokeApiKey } from '@busbar/api'
import { Registry } from 'prom-client'
import { type Config, ConfigError } from './config.js'
import { openLog } from './log.js'
import { openPlatform, type Platform } from './platform.js'

/** Prints a new key; only its hash is kept. */
export async function createKey(config: Config, name: string, role: string): Promise<void> {
  if (!isApiRole(role)) throw new ConfigError([`--role ${role}: viewer, operator, admin or auditor`])
  await withPlatform(config, async ({ database }) => {
    const { id, key } = await createApiKey(database, { name, role })
    console.log(`id   ${id}\nkey  ${key}`)
  })
}

export async function listKeys(config: Config): Promise<void> {
  await withPlatform(config, async ({ database }) => {
    console.table(
      await database.prisma.apiKey.findMany({
        select: { id: true, name: true, role: true, createdAt: true, expiresAt: true, revokedAt: true },
        orderBy: { createdAt: 'asc' },
      }),
    )
  })
}

export async function revokeKey(config: Config, id: string): Promise<void> {
  await withPlatform(config, async ({ database }) => {
    console.log((await revokeApiKey(database, { id })) ? 'revoked' : 'no such key in force')
  })
}

async function withPlatform(config: Config, work: (platform: Platform) => Promise<void>): Promise<void> {
  const log = openLog('warn')
  const platform = await openPlatform(config, log, new Registry())
  try {
    await work(platform)
  } finally {
    await platform.close()
  }
}
