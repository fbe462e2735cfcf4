import {
  type ChannelListener,
  gatewaysChannel,
  type RefusedAttempt,
  refusedChannel,
  type StationChannels,
} from '@busbar/backbone'
import type { Logger } from 'pino'

const maxIds = 1_000

/**
 * What the operator is shown of stations that try in vain. In memory only: nothing is stored for an unproven caller. The
 * process's log gets the 1st, 2nd, 4th, 8th ... in a row.
 */
export class RefusedAttempts {
  readonly #logger: Logger
  /** The latest last. */
  readonly #attempts = new Map<string, RefusedAttempt>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** That it is throttled says less than what came before: a throttled attempt keeps that reason. */
  add(stationId: string, refusedFor: string, address: string): void {
    const key = stationId === '' ? `from ${address}` : `as ${stationId}`
    const before = this.#attempts.get(key)
    const reason = refusedFor === 'throttled' ? (before?.reason ?? refusedFor) : refusedFor
    const count = (before?.count ?? 0) + 1
    this.#attempts.delete(key)
    this.#attempts.set(key, { stationId, reason, address, count, lastAt: new Date().toISOString() })
    if ((count & (count - 1)) === 0) this.#logger.warn({ station: stationId, reason, address, count }, 'refused')
    if (this.#attempts.size <= maxIds) return
    for (const oldest of this.#attempts.keys()) {
      this.#attempts.delete(oldest)
      return
    }
  }

  /** Once it is in, its failures are history. */
  delete(stationId: string): void {
    this.#attempts.delete(`as ${stationId}`)
  }

  /** The latest first. */
  list(): RefusedAttempt[] {
    return [...this.#attempts.values()].reverse()
  }

  /** Tells the API when it asks. @returns ends that */
  async answerQueries(channels: StationChannels, gatewayId: string): Promise<() => Promise<void>> {
    const listener: ChannelListener = {
      receive: (query) => {
        if (query.kind !== 'refused-query') return
        const message = { kind: 'refused-attempts', gatewayId, attempts: this.list() } as const
        channels.publish([{ channel: refusedChannel(query.id), message }]).catch((cause: unknown) => {
          this.#logger.warn({ err: cause }, 'the operator could not be told who was refused')
        })
      },
    }
    await channels.subscribe(gatewaysChannel, listener)
    return () => channels.unsubscribe(gatewaysChannel, listener)
  }
}
