import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FileNotFoundError, type FileStore, FileTooLargeError, openLocalFileStore, openS3FileStore } from '../index.js'

/** The contract runs on each side. */
interface Side {
  name: string
  open(): Promise<{ store: FileStore; list(): Promise<string[]>; drop(): Promise<void> }>
}

const local: Side = {
  name: 'local folder',
  async open() {
    const folder = await mkdtemp(path.join(tmpdir(), 'busbar-files-'))
    return {
      store: openLocalFileStore({ folder }),
      list: async () => {
        const entries = await readdir(folder, { recursive: true, withFileTypes: true })
        return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
      },
      drop: () => rm(folder, { recursive: true }),
    }
  },
}

const endpoint = process.env.TEST_S3_URL
if (process.env.REQUIRE_SERVICES === '1' && !endpoint) throw new Error('REQUIRE_SERVICES=1, but TEST_S3_URL is not set')

const s3 = (url: string): Side => ({
  name: 'S3-compatible server',
  async open() {
    const { username: accessKeyId, password: secretAccessKey, origin } = new URL(url)
    const config = { endpoint: origin, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey } }
    const bucket = `test-${randomUUID()}`
    const client = new S3Client({ ...config, forcePathStyle: true })
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    return {
      store: await openS3FileStore({ ...config, bucket }),
      list: async () => {
        const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
        return Contents.map(({ Key = '' }) => Key)
      },
      drop: async () => client.destroy(),
    }
  },
})

const sides = endpoint ? [local, s3(endpoint)] : [local]

describe.each(sides)('$name', ({ open }) => {
  let side: Awaited<ReturnType<Side['open']>>
  beforeAll(async () => {
    side = await open()
  })
  afterAll(async () => {
    side.store.close()
    await side.drop()
  })

  async function* pieces(...each: (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
    for (const piece of each) {
      if (piece instanceof Error) throw piece
      yield piece
    }
  }
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
  const read = async (key: string, range?: { first: number; last: number }) => buffer(await side.store.read(key, range))

  test('a file comes back as it went in, larger than any buffer', async () => {
    const [first, second] = [randomBytes(7 * 1024 * 1024), randomBytes(5)]
    const whole = Buffer.concat([first, second])

    const stored = await side.store.put('firmware/large', pieces(first, second), { maxBytes: whole.length })

    expect(stored).toEqual({ bytes: whole.length, sha256: sha256(whole) })
    expect(sha256(await read('firmware/large'))).toBe(sha256(whole))
  })

  test('a part of it can be read', async () => {
    await side.store.put('part', pieces(Buffer.from('0123456789')), { maxBytes: 10 })

    expect((await read('part', { first: 3, last: 5 })).toString()).toBe('345')
    expect((await read('part', { first: 9, last: 9 })).toString()).toBe('9')
  })

  test('an empty file is one', async () => {
    expect(await side.store.put('empty', pieces(), { maxBytes: 10 })).toMatchObject({ bytes: 0 })
    expect((await read('empty')).length).toBe(0)
  })

  test('what is put again replaces', async () => {
    await side.store.put('again', pieces(Buffer.from('old and long')), { maxBytes: 100 })
    await side.store.put('again', pieces(Buffer.from('new')), { maxBytes: 100 })

    expect((await read('again')).toString()).toBe('new')
  })

  test('a file that is too large, or breaks off, leaves nothing and what was there stays', async () => {
    await side.store.put('kept', pieces(Buffer.from('kept')), { maxBytes: 100 })
    const before = await side.list()

    for (const key of ['kept', 'other']) {
      const large = side.store.put(key, pieces(Buffer.alloc(60), Buffer.alloc(41)), { maxBytes: 100 })
      await expect(large).rejects.toThrow(FileTooLargeError)
      const broken = side.store.put(key, pieces(Buffer.alloc(6_000_000), new Error('hung up')), { maxBytes: 9_000_000 })
      await expect(broken).rejects.toThrow('hung up')
    }

    expect((await read('kept')).toString()).toBe('kept')
    expect((await side.list()).sort()).toEqual(before.sort())
  })

  test('a file that is not there is told, and deleting one twice is fine', async () => {
    await side.store.put('gone', pieces(Buffer.from('x')), { maxBytes: 1 })
    await side.store.delete('gone')
    await side.store.delete('gone')

    await expect(side.store.read('gone')).rejects.toThrow(FileNotFoundError)
  })

  test.each(['../secret', '/etc/passwd', 'a/../b', 'a//b', 'A', '', 'a.b', 'a\0b', 'a\\b', 'a/b/c/d/e'])(
    'a key that is none of ours is refused: %j',
    async (key) => {
      await expect(side.store.put(key, pieces(), { maxBytes: 1 })).rejects.toThrow(TypeError)
      await expect(side.store.read(key)).rejects.toThrow(TypeError)
      await expect(side.store.delete(key)).rejects.toThrow(TypeError)
    },
  )
})

test('a local folder goes with the last of its files, and none that comes meanwhile is lost', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-files-'))
  const store = openLocalFileStore({ folder })
  const put = (key: string, content: AsyncIterable<Uint8Array>) => store.put(key, content, { maxBytes: 3 })
  const abc = async function* () {
    yield Buffer.from('abc')
  }
  const keys = Array.from({ length: 300 }, (_, index) => `uploads/one/${index}`)

  await Promise.all(
    keys.map(async (key, index) => {
      await put(key, abc())
      if (index % 3 > 0) await store.delete(key)
    }),
  )
  expect((await readdir(path.join(folder, 'uploads/one'))).length).toBe(100)

  await Promise.all(keys.map((key) => store.delete(key)))
  await expect(put('uploads/two/1', Readable.from([Buffer.from('abcd')]))).rejects.toThrow(FileTooLargeError)
  expect(await readdir(path.join(folder, 'uploads'))).toEqual([])
  await put('outermost', abc())
  await store.delete('outermost')
  expect(await readdir(folder)).toEqual(['uploads'])
  await rm(folder, { recursive: true })
})

test('what a killed process left half-way in a local folder goes once it cannot grow any more, and nothing else', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'busbar-files-'))
  const store = openLocalFileStore({ folder: path.join(folder, 'files') })
  const before = new Date(Date.now() - 60_000)
  expect(await store.deleteUnfinished(before)).toBe(0)
  for (const key of ['uploads/killed', 'uploads/growing', 'uploads/whole', 'firmware']) {
    await store.put(key, Readable.from([Buffer.from('abc')]), { maxBytes: 3 })
  }
  const files = path.join(folder, 'files')
  for (const name of ['uploads/killed', 'uploads/killed.0123456789ab.tmp', 'firmware.0123456789ab.tmp']) {
    await writeFile(path.join(files, name), 'half')
    await utimes(path.join(files, name), before, new Date(before.getTime() - 1))
  }
  await writeFile(path.join(files, 'uploads/growing.0123456789ab.tmp'), 'half')

  expect(await store.deleteUnfinished(before)).toBe(2)
  expect((await readdir(path.join(files, 'uploads'))).sort()).toEqual([
    'growing',
    'growing.0123456789ab.tmp',
    'killed',
    'whole',
  ])
  expect((await readdir(files)).sort()).toEqual(['firmware', 'uploads'])
  await rm(folder, { recursive: true })
})
