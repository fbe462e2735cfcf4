import { createApiKey, isApiRole, revokeApiKey } from '@busbar/api'
import { type Config, ConfigError } from './config.js'
import { withStorage } from './platform.js'

/** Prints a new key; only its hash is kept. */
export async function createKey(
  config: Config,
  name: string,
  { role, owner }: { role: string; owner?: string },
): Promise<void> {
  if (!isApiRole(role)) throw new ConfigError([`--role ${role}: viewer, operator, admin or auditor`])
  await withStorage(config, async ({ database }) => {
    const { id, key } = await createApiKey(database, { name, role, ...(owner !== undefined && { owner }) })
    console.log(`id   ${id}\nkey  ${key}`)
  })
}

export async function listKeys(config: Config): Promise<void> {
  await withStorage(config, async ({ database }) => {
    console.table(
      await database.prisma.apiKey.findMany({
        select: { id: true, name: true, role: true, owner: true, createdAt: true, expiresAt: true, revokedAt: true },
        orderBy: { createdAt: 'asc' },
      }),
    )
  })
}

export async function revokeKey(config: Config, id: string): Promise<void> {
  await withStorage(config, async ({ database }) => {
    console.log((await revokeApiKey(database, { id })) ? 'revoked' : 'no such key in force')
  })
}
