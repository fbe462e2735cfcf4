import { afterAll, beforeAll, expect, test } from 'vitest'
import { readSchema, schemaDifference } from '../scripts/schema-engine.js'
import { createTestDatabase, type TestDatabase } from './testing.js'

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())

test('the migrations make what schema.prisma says', async () => {
  expect(await schemaDifference(store.url)).toBe('')
})

test('a column that only schema.prisma has is found', async () => {
  const changed = readSchema().replace('@@map("site")', 'forgotten Int?\n  @@map("site")')

  expect(await schemaDifference(store.url, changed)).toContain('ALTER TABLE "site" ADD COLUMN     "forgotten" INTEGER')
})
