import type { Socket } from 'node:net'
import { inParallel } from './rig.js'
import { type SlowTarget, slowKinds } from './slow-sockets.js'

/**
 * Sockets that hold a place and give nothing for it, of each kind as many as asked for; each that is closed comes again.
 * In a process of its own, started with an IPC channel, for what they cost must not delay the stations of the test: it is
 * told to come, and on any later message how it stands is told.
 */
export interface SlowOrder {
  target: SlowTarget
  perKind: number
}

/** Of one kind. */
export interface SlowReport {
  /** How many the other side closed. */
  shownOut: number
  /** How long the longest has stayed, whether it is gone or still there, in milliseconds. */
  longestMs: number
  /** The first few. */
  troubles: readonly string[]
}

/** Of one kind: a handshake has ten seconds, and a storm of them is another row's. */
const comingAtOnce = 20

class SlowCrowd {
  readonly #gone = { shownOut: 0, longestMs: 0, troubles: [] as string[] }
  /** When each that is there came. */
  readonly #there = new Map<Socket, number>()
  readonly #open: (place: number) => Promise<Socket>

  constructor(open: (place: number) => Promise<Socket>) {
    this.#open = open
  }

  /** Resolves once so many were there. */
  async fill(count: number): Promise<void> {
    await inParallel(Array(count).keys(), comingAtOnce, (place) => this.#come(place))
  }

  get report(): SlowReport {
    const longestMs = Math.max(this.#gone.longestMs, ...[...this.#there.values()].map((at) => performance.now() - at))
    return { ...this.#gone, longestMs }
  }

  async #come(place: number): Promise<void> {
    try {
      const socket = await this.#open(place)
      const startedAt = performance.now()
      this.#there.set(socket, startedAt)
      socket.on('error', () => {})
      socket.resume()
      socket.once('close', () => {
        this.#there.delete(socket)
        this.#gone.shownOut += 1
        this.#gone.longestMs = Math.max(this.#gone.longestMs, performance.now() - startedAt)
        void this.#come(place)
      })
    } catch (cause) {
      if (this.#gone.troubles.length < 5) this.#gone.troubles.push(String(cause))
    }
  }
}

const crowds = new Map<string, SlowCrowd>()
const tell = () => process.send?.(Object.fromEntries([...crowds].map(([name, { report }]) => [name, report] as const)))

process.once('message', async ({ target, perKind }: SlowOrder) => {
  process.on('message', tell)
  for (const [name, { open }] of Object.entries(slowKinds)) {
    crowds.set(name, new SlowCrowd((place) => open(target, place)))
  }
  await Promise.all([...crowds.values()].map((crowd) => crowd.fill(perKind)))
  tell()
})
