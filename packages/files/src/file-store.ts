import type { Readable } from 'node:stream'

/**
 * Where the bytes of files lie: firmware images, what stations upload. Names and owners stand in Postgres; a key is made by
 * us and holds nothing that came from outside.
 */
export interface FileStore {
  /**
   * Takes a file in. It is there whole or not at all, and replaces what had the key.
   * @throws FileTooLargeError above `maxBytes`, and whatever the content throws; nothing is kept then
   */
  put(key: string, content: AsyncIterable<Uint8Array>, limit: { maxBytes: number }): Promise<StoredFile>
  /**
   * @param range bytes, both ends belong to it; all when not given
   * @throws FileNotFoundError
   */
  read(key: string, range?: { first: number; last: number }): Promise<Readable>
  /** Nothing where there is none. */
  delete(key: string): Promise<void>
  /**
   * Deletes what a process that was killed left of files it was taking in.
   * @param before what was begun since may still grow
   * @returns how many
   */
  deleteUnfinished(before: Date): Promise<number>
  close(): void
}

export interface StoredFile {
  bytes: number
  /** Lower-case hex. */
  sha256: string
}

export class FileTooLargeError extends Error {
  override readonly name = 'FileTooLargeError'
  readonly maxBytes: number

  constructor(maxBytes: number) {
    super(`The file has more than ${maxBytes} bytes`)
    this.maxBytes = maxBytes
  }
}

export class FileNotFoundError extends Error {
  override readonly name = 'FileNotFoundError'
}

/** A key that is none of ours would be a bug, and could be a way out of the folder. */
export function checkKey(key: string): string {
  if (/^[a-z0-9-]{1,64}(\/[a-z0-9-]{1,64}){0,3}$/.test(key)) return key
  throw new TypeError('A file key is made of lower-case letters, digits and dashes')
}
