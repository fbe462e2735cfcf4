import { afterAll, beforeAll, expect, test } from 'vitest'
import { OffsetConflictError } from './errors.js'
import { newId } from './new-id.js'
import { insertInto, sql } from './rows.js'
import { createTestDatabase, type TestDatabase } from './testing.js'

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
})
afterAll(() => store.drop())

const advanceOffsets = sql('SELECT advance_offsets($1, $2, $3, $4, $5, $6)')
const advance = (service: string, partitions: number[], olds: bigint[], news: bigint[]) =>
  advanceOffsets(
    'embedded',
    service,
    partitions.map(() => 'topic'),
    partitions,
    olds,
    news,
  )
const selectOffsets = sql('SELECT next FROM consumer_offset WHERE service = $1 ORDER BY partition')
const insertSites = insertInto('site', { id: 'uuid', name: 'text' })
const selectSite = sql('SELECT 1 FROM site WHERE id = $1')
const insertOffsets = insertInto('consumer_offset', {
  log: 'text',
  service: 'text',
  topic: 'text',
  partition: 'int4',
  next: 'int8',
})
const offsets = async (service: string) =>
  (await store.database.query<{ next: bigint }>(selectOffsets(service))).map(({ next }) => next)
const given = (service: string, next: bigint[]) =>
  store.database.commit([
    insertOffsets(next.map((each, partition) => ({ log: 'embedded', service, topic: 'topic', partition, next: each }))),
  ])

test('advance_offsets moves every offset that is where it was left', async () => {
  await given('a', [5n, 7n, 9n])

  await store.database.commit([advance('a', [2, 0], [9n, 5n], [11n, 6n])])

  expect(await offsets('a')).toEqual([6n, 7n, 11n])
})

test('advance_offsets moves none when one was moved by another or is missing, and undoes the effects with them', async () => {
  await given('b', [5n, 7n])
  const id = newId()

  for (const [partitions, olds] of [
    [
      [0, 1],
      [5n, 6n],
    ] as const,
    [
      [0, 2],
      [5n, 0n],
    ] as const,
  ]) {
    const commit = store.database.commit([
      insertSites([{ id, name: 'x' }]),
      advance('b', [...partitions], [...olds], [8n, 8n]),
    ])
    await expect(commit).rejects.toBeInstanceOf(OffsetConflictError)
  }

  expect(await offsets('b')).toEqual([5n, 7n])
  expect(await store.database.query(selectSite(id))).toEqual([])
})

test('of two workers that hold the same partitions one commits', async () => {
  await given('c', [0n, 0n])
  const commits = [
    [0, 1],
    [1, 0],
  ].map((partitions) => store.database.commit([advance('c', partitions, [0n, 0n], [3n, 3n])]))

  const results = await Promise.allSettled(commits)

  const failed = results.filter((result) => result.status === 'rejected')
  expect(failed.map(({ reason }) => reason)).toEqual([expect.any(OffsetConflictError)])
})
