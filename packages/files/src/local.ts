import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { checkKey, FileNotFoundError, type FileStore } from './file-store.js'
import { Measured } from './measured.js'

/** Files in a folder that this process alone, or a shared file system, holds. */
export function openLocalFileStore({ folder }: { folder: string }): FileStore {
  const pathOf = (key: string) => path.join(folder, checkKey(key))
  return {
    async put(key, content, { maxBytes }) {
      const file = pathOf(key)
      await mkdir(path.dirname(file), { recursive: true })
      // In the same folder, so that the rename stays within one file system.
      const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
      const measured = new Measured(content, maxBytes)
      try {
        await pipeline(measured, createWriteStream(temporary, { mode: 0o600, flush: true }))
        await rename(temporary, file)
      } catch (cause) {
        await rm(temporary, { force: true })
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
      await rm(pathOf(key), { force: true })
    },

    close() {},
  }
}

const isMissing = (cause: unknown) => (cause as NodeJS.ErrnoException).code === 'ENOENT'
