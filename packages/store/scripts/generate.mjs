// Writes src/generated: the Prisma client, and the migrations as a module, so that they travel in the one-file binary.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const generated = fileURLToPath(new URL('../src/generated', import.meta.url))

mkdirSync(generated, { recursive: true })

const prisma = createRequire(import.meta.url).resolve('prisma/build/index.js')
const { status, stdout, stderr, error } = spawnSync(
  process.execPath,
  [prisma, 'generate', '--config', 'prisma/prisma.config.ts', '--no-hints'],
  {
    cwd: root,
    encoding: 'utf8',
    // Generating needs no schema engine; naming one keeps Prisma from downloading it.
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
  },
)
if (status !== 0) {
  console.error(stdout, stderr, error ?? '')
  process.exit(1)
}

const folder = path.join(root, 'prisma/migrations')
const migrations = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => ({ name, sql: readFileSync(path.join(folder, name, 'migration.sql'), 'utf8') }))
  .sort((a, b) => (a.name < b.name ? -1 : 1))
writeFileSync(
  path.join(generated, 'migrations.ts'),
  `export const migrations: readonly { name: string; sql: string }[] = ${JSON.stringify(migrations, null, 2)}\n`,
)
