// npx tsx packages/store/scripts/new-migration.ts <name>
// Writes the migration that takes a database from what the migrations say to what schema.prisma says. Read it, and add
// by hand what the schema cannot say. Works on TEST_DATABASE_URL, else on an embedded Postgres.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createTestDatabase } from '../src/index.js'
import { prismaFolder, schemaDifference } from './schema-engine.js'

const name = process.argv[2]
if (name === undefined || !/^[a-z0-9_]+$/.test(name)) {
  console.error('Give the migration a name of lower-case words: add_tariffs')
  process.exit(1)
}
const test = await createTestDatabase()
try {
  const script = await schemaDifference(test.url)
  if (script === '') {
    console.log('schema.prisma and the migrations agree; nothing to write.')
  } else {
    const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14)
    const folder = `${prismaFolder}migrations/${stamp}_${name}`
    mkdirSync(folder)
    writeFileSync(`${folder}/migration.sql`, `${script}\n`)
    console.log(`${folder}/migration.sql`)
  }
} finally {
  await test.drop()
}
