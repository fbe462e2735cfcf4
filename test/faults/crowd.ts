import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'

/** Sockets that hold a place and give nothing for it; each that is closed comes again. */
export class SlowCrowd {
  /** How long those stayed that the other side closed, in milliseconds. */
  readonly stays: number[] = []
  readonly troubles: string[] = []
  readonly #open: (place: number) => Promise<Socket>
  readonly #sockets = new Set<Socket>()
  #isOver = false

  constructor(open: (place: number) => Promise<Socket>) {
    this.#open = open
  }

  /** Resolves once so many were there. */
  async fill(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, place) => this.#come(place)))
  }

  get size(): number {
    return this.#sockets.size
  }

  leave(): void {
    this.#isOver = true
    for (const socket of this.#sockets) socket.destroy()
  }

  async #come(place: number): Promise<void> {
    try {
      const socket = await this.#open(place)
      const startedAt = performance.now()
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.resume()
      socket.once('close', () => {
        this.#sockets.delete(socket)
        if (this.#isOver) return
        this.stays.push(performance.now() - startedAt)
        void this.#come(place)
      })
    } catch (cause) {
      if (!this.#isOver) this.troubles.push(String(cause))
    }
  }
}

/** How many sockets a process may hold. @param pid ours when it is left out */
export async function maxSockets(pid: number | 'self' = 'self'): Promise<number> {
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8')
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1_024)
}
