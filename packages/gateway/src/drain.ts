import { setTimeout as pause } from 'node:timers/promises'
import { closeCodes } from './config.js'
import type { Connection } from './connection/connection.js'

export interface DrainOptions {
  /** Between the closes of two sockets. */
  paceMs: number
  /** For what is in flight at one socket. */
  finishWithinMs: number
}

const pollMs = 20
/** A station in mid-burst has another message coming. */
const quietMs = 200

/**
 * Closes all connections with 1012, so that their stations come back at another gateway: in random order, at a pace the
 * others can take, each once what is in flight is finished.
 */
export async function drain(connections: Iterable<Connection>, options: DrainOptions): Promise<void> {
  const finishing: Promise<void>[] = []
  for (const connection of shuffle([...connections])) {
    finishing.push(finish(connection, options.finishWithinMs))
    if (options.paceMs > 0) await pause(options.paceMs)
  }
  await Promise.all(finishing)
}

/** The pace at which `count` sockets are closed within `withinMs`, and no slower than needed. */
export function paceOf(count: number, withinMs: number): number {
  return count === 0 ? 0 : Math.min(10, withinMs / count)
}

async function finish(connection: Connection, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs
  connection.leave()
  for (;;) {
    const now = performance.now()
    if (connection.isClosed || now >= deadline) break
    if (connection.isIdle && now - connection.lastSeenAt >= quietMs) break
    await pause(pollMs)
  }
  connection.close(closeCodes.restart, 'The gateway is leaving')
}

function shuffle<Item>(items: Item[]): Item[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    ;[items[last], items[other]] = [items[other] as Item, items[last] as Item]
  }
  return items
}
