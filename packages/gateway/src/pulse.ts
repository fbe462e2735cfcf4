import type { Connection } from './connection/connection.js'

/** A process that did not run for so long has slept. */
export const noticedSleepMs = 2_000

/**
 * One timer for all connections: every tick those with something pending are looked at, and a slice of all others, so
 * that each gets its beat (ping, silence, presence) once a round.
 */
export class Pulse {
  readonly #busy: ReadonlySet<Connection>
  readonly #slots: Set<Connection>[]
  readonly #onTick: (now: number) => void
  readonly #timer: NodeJS.Timeout
  #at = 0
  #next = 0
  #tickedAt = performance.now()

  /** @param roundMs how often a connection gets its beat */
  constructor(tickMs: number, roundMs: number, busy: ReadonlySet<Connection>, onTick: (now: number) => void) {
    this.#busy = busy
    this.#slots = Array.from({ length: Math.max(1, Math.round(roundMs / tickMs)) }, () => new Set())
    this.#onTick = onTick
    this.#timer = setInterval(() => this.#tick(), tickMs)
  }

  add(connection: Connection): void {
    this.#slots[this.#next++ % this.#slots.length]?.add(connection)
  }

  delete(connection: Connection): void {
    for (const slot of this.#slots) if (slot.delete(connection)) return
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const now = performance.now()
    const sleptMs = now - this.#tickedAt
    this.#tickedAt = now
    if (sleptMs > noticedSleepMs) this.#forgiveSilence(now)
    // First of all, because a process that slept may have lost what it owned.
    this.#onTick(now)
    for (const connection of this.#busy) connection.sweep(now)
    for (const connection of this.#slots[this.#at++ % this.#slots.length] ?? []) connection.beat(now)
  }

  /** While this process did not run it heard nobody: that says nothing about the stations. */
  #forgiveSilence(now: number): void {
    for (const slot of this.#slots) for (const connection of slot) connection.forgiveSilence(now)
  }
}
