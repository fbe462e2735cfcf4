import { execFileSync } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'

/** A disk of its own, in memory, that can be filled. Only root may make one. */
export class SmallDisk {
  readonly folder: string
  readonly #unmount = () => execFileSync('umount', ['--lazy', this.folder])

  private constructor(folder: string) {
    this.folder = folder
    process.once('exit', this.#unmount)
  }

  /** @throws where this user may mount nothing */
  static async mount(folder: string, megabytes: number): Promise<SmallDisk> {
    await mkdir(folder)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'tmpfs', folder])
    return new SmallDisk(folder)
  }

  /** Not a byte is left. */
  async fill(): Promise<void> {
    const file = await open(this.#filler, 'w')
    try {
      for (const chunk of [Buffer.alloc(1024 * 1024), Buffer.alloc(4096)]) await writeUntilFull(file, chunk)
    } finally {
      await file.close()
    }
  }

  async free(): Promise<void> {
    await rm(this.#filler, { force: true })
  }

  async unmount(): Promise<void> {
    process.off('exit', this.#unmount)
    this.#unmount()
    await rm(this.folder, { recursive: true })
  }

  get #filler(): string {
    return path.join(this.folder, 'filler')
  }
}

async function writeUntilFull(file: { write(data: Buffer): Promise<unknown> }, chunk: Buffer): Promise<void> {
  for (;;) {
    try {
      await file.write(chunk)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') return
      throw cause
    }
  }
}
