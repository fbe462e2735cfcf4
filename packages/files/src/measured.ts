import { createHash } from 'node:crypto'
import { FileTooLargeError, type StoredFile } from './file-store.js'

/** Hands bytes through and takes their measure on the way. */
export class Measured {
  #bytes = 0
  readonly #hash = createHash('sha256')
  readonly #content: AsyncIterable<Uint8Array>
  readonly #maxBytes: number

  constructor(content: AsyncIterable<Uint8Array>, maxBytes: number) {
    this.#content = content
    this.#maxBytes = maxBytes
  }

  /** @throws FileTooLargeError */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#content) {
      this.#bytes += piece.byteLength
      if (this.#bytes > this.#maxBytes) throw new FileTooLargeError(this.#maxBytes)
      this.#hash.update(piece)
      yield piece
    }
  }

  /** Once all went through. */
  result(): StoredFile {
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }
}
