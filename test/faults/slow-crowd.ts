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
  /** How many the other side closed, and how long the longest of them had stayed, in milliseconds. */
  shownOut: number
  longestMs: number
  /** The first few. */
  troubles: readonly string[]
}

/** Of one kind: a handshake has ten seconds, and a storm of them is another row's. */
const comingAtOnce = 20

class SlowCrowd {
  readonly report = { shownOut: 0, longestMs: 0, troubles: [] as string[] }
  readonly #open: (place: number) => Promise<Socket>

  constructor(open: (place: number) => Promise<Socket>) {
    this.#open = open
  }

  /** Resolves once so many were there. */
  async fill(count: number): Promise<void> {
    await inParallel(Array(count).keys(), comingAtOnce, (place) => this.#come(place))
  }

  async #come(place: number): Promise<void> {
    try {
      const socket = await this.#open(place)
      const startedAt = performance.now()
      socket.on('error', () => {})
      socket.resume()
      socket.once('close', () => {
        this.report.shownOut += 1
        this.report.longestMs = Math.max(this.report.longestMs, performance.now() - startedAt)
        void this.#come(place)
      })
    } catch (cause) {
      if (this.report.troubles.length < 5) this.report.troubles.push(String(cause))
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
