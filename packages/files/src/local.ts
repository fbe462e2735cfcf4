import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { checkKey, FileNotFoundError, type FileStore } from './file-store.js'
import { Measured } from './measured.js'

/** Of a file that is being taken in; no key has a dot. */
const ending = '.tmp'

/** Files in a folder that this process alone, or a shared file system, holds. */
export function openLocalFileStore({ folder }: { folder: string }): FileStore {
  const pathOf = (key: string) => path.join(folder, checkKey(key))

  /** With the folder that it leaves empty, but for the outermost, which may be a mount. */
  async function remove(file: string): Promise<void> {
    await rm(file, { force: true })
    const parent = path.dirname(file)
    if (parent === path.normalize(folder)) return
    try {
      await rmdir(parent)
    } catch (cause) {
      if (!isMissing(cause) && codeOf(cause) !== 'ENOTEMPTY') throw cause
    }
  }

  return {
    async put(key, content, { maxBytes }) {
      const file = pathOf(key)
      // In the same folder, so that the rename stays within one file system.
      const temporary = `${file}.${randomBytes(6).toString('hex')}${ending}`
      const measured = new Measured(content, maxBytes)
      try {
        await pipeline(measured, (await create(temporary)).createWriteStream({ flush: true }))
        await rename(temporary, file)
      } catch (cause) {
        await remove(temporary)
        throw cause
      }
      return measured.result()
    },

    async read(key, range) {
      try {
        const file = await open(pathOf(key))
        return createReadStream('', { fd: file, ...(range && { start: range.first, end: range.last }) })
      } catch (cause) {
        throw isMissing(cause) ? new FileNotFoundError(`There is no file ${key}`, { cause }) : cause
      }
    },

    async delete(key) {
      await remove(pathOf(key))
    },

    async deleteUnfinished(before) {
      const names = await readdir(folder, { recursive: true }).catch(whenMissing([]))
      let gone = 0
      for (const file of names.filter((name) => name.endsWith(ending)).map((name) => path.join(folder, name))) {
        const written = await stat(file).catch(whenMissing(null))
        if (written === null || written.mtime >= before) continue
        await remove(file)
        gone += 1
      }
      return gone
    },

    close() {},
  }
}

/** With its folder, which may go with the last of its files before this one is there. */
async function create(file: string): Promise<FileHandle> {
  for (;;) {
    await mkdir(path.dirname(file), { recursive: true })
    try {
      return await open(file, 'wx', 0o600)
    } catch (cause) {
      if (!isMissing(cause)) throw cause
    }
  }
}

const codeOf = (cause: unknown) => (cause as NodeJS.ErrnoException).code
const isMissing = (cause: unknown) => codeOf(cause) === 'ENOENT'
const whenMissing =
  <T>(instead: T) =>
  (cause: unknown): T => {
    if (isMissing(cause)) return instead
    throw cause
  }
