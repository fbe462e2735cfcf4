import type { Readable } from 'node:stream'

/** Nobody has to wait longer for the next bytes. */
const idleMs = 60_000

/**
 * The bytes of a request as they come. It ends where the sender hung up or fell silent, as if that were the end: what came is
 * kept, so that the sender can go on from there. `isWhole` tells.
 */
export class Body implements AsyncIterable<Uint8Array> {
  isWhole = false
  readonly #source: Readable

  constructor(source: Readable) {
    this.#source = source
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const idle = setTimeout(() => this.#source.destroy(), idleMs)
    try {
      // Whoever stops reading still wants to answer over the same socket.
      for await (const piece of this.#source.iterator({ destroyOnReturn: false })) {
        idle.refresh()
        yield piece
      }
      this.isWhole = true
    } catch (cause) {
      if (!brokenOff.includes((cause as NodeJS.ErrnoException).code)) throw cause
    } finally {
      clearTimeout(idle)
    }
  }
}

const brokenOff: readonly unknown[] = ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE']
