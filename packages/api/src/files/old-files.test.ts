import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type FileStore, openLocalFileStore } from '@busbar/files'
import { createTestDatabase, newId, type TestDatabase } from '@busbar/store'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { deleteOldFiles } from './old-files.js'

let store: TestDatabase
let files: FileStore
let folder: string
beforeAll(async () => {
  store = await createTestDatabase()
  folder = await mkdtemp(path.join(tmpdir(), 'busbar-old-files-'))
  files = openLocalFileStore({ folder })
})
afterAll(async () => {
  await store.drop()
  await rm(folder, { recursive: true })
})
beforeEach(async () => {
  await store.database.prisma.stationFile.deleteMany()
  await rm(path.join(folder, 'uploads'), { recursive: true, force: true })
})

const log = pino({ level: 'silent' })
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000)
const clean = (given: Partial<FileStore> = {}, isStopping?: () => boolean) =>
  deleteOldFiles({ database: store.database, files: { ...files, ...given }, log }, 90, isStopping)

/** A file of two pieces. */
async function sent(days: number, { expiresAt = daysAgo(days), isComplete = true } = {}): Promise<string> {
  const createdAt = daysAgo(days)
  const id = newId(createdAt.getTime())
  const pieces = [1, 2].map((number) => ({ key: `uploads/${id}/${number}`, bytes: 3 }))
  for (const { key } of pieces) await files.put(key, [Buffer.from('abc')] as never, { maxBytes: 3 })
  const rest = { stationId: 'CS-1', commandId: randomUUID(), bytes: 6n, pieces, createdAt, expiresAt }
  await store.database.prisma.stationFile.create({
    data: { id, ...rest, completedAt: isComplete ? createdAt : null },
  })
  return id
}

const rows = async () => (await store.database.prisma.stationFile.findMany()).map(({ id }) => id).sort()
/** With their pieces. */
async function stored(): Promise<string[]> {
  const paths = await readdir(path.join(folder, 'uploads'), { recursive: true }).catch(() => [])
  return paths.filter((each) => each.includes(path.sep)).sort()
}
const piecesOf = (...ids: string[]) => ids.flatMap((id) => [1, 2].map((number) => path.join(id, String(number)))).sort()

test('what stations sent goes after its time, bytes and row; what is younger stays', async () => {
  await sent(91)
  await sent(120, { isComplete: false })
  const young = await sent(89)

  expect(await clean()).toBe(2)
  expect(await rows()).toEqual([young])
  expect(await stored()).toEqual(piecesOf(young))
  expect(await clean()).toBe(0)
})

test('a file whose address is still good, or was an hour ago, may still grow and stays', async () => {
  const open = await sent(91, { isComplete: false, expiresAt: daysAgo(-1) })
  const late = await sent(91, { isComplete: false, expiresAt: daysAgo(1 / 24) })

  expect(await clean()).toBe(0)
  expect(await rows()).toEqual([open, late].sort())
})

test('what breaks off between bytes and row is done again', async () => {
  const id = await sent(91)
  await files.delete(`uploads/${id}/1`)

  expect(await clean()).toBe(1)
  expect(await stored()).toEqual([])
})

test('a file that the store does not give up keeps its row, and keeps no other', async () => {
  const stuck = await sent(100)
  await sent(91)
  const refuse = async (key: string) => {
    if (key.includes(stuck)) throw new Error('access denied')
    await files.delete(key)
  }

  expect(await clean({ delete: refuse })).toBe(1)
  expect(await rows()).toEqual([stuck])
  expect(await clean()).toBe(1)
})

test('hundreds go in one call, unless it is told to stop', async () => {
  for (let count = 0; count < 203; count += 1) await sent(91)
  let asked = 0

  expect(await clean({}, () => ++asked > 101)).toBe(101)
  expect(await clean()).toBe(102)
  expect([await rows(), await stored()]).toEqual([[], []])
})
