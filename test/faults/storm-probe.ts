import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { VirtualStation } from '@busbar/simulator'

/**
 * Stations that ask whenever they are online, again once they have their answer, and measure how long it takes. In a
 * process of its own, for ten thousand stations are seconds late themselves. It is told who they are and says when they
 * are online; then told when to begin, and then when to end, whereupon it says what it measured.
 */
export interface ProbeOrder {
  ids: readonly string[]
  urls: readonly string[]
  password: string
}

export interface ProbeReport {
  /** Of each call; one that failed took as long as it took to fail. */
  milliseconds: readonly number[]
  failed: number
}

const authorize = { action: 'Authorize', payload: { idTag: 'NOBODY' } }
const milliseconds: number[] = []
const life = new AbortController()
let failed = 0

async function keepAsking(station: VirtualStation): Promise<void> {
  while (!life.signal.aborted) {
    if (station.isOnline) {
      const startedAt = performance.now()
      const answer = await station.call(authorize).catch(() => null)
      milliseconds.push(performance.now() - startedAt)
      if (answer?.kind !== 'result') failed += 1
    }
    await sleep(20)
  }
}

const told = async () => (await once(process, 'message'))[0]

const { ids, urls, password }: ProbeOrder = await told()
const stations = ids.map(
  (id) => new VirtualStation({ id, password, urls: [...urls], protocol: 'ocpp1.6', reconnectMs: 1_000 }),
)
await Promise.all(stations.map((station) => station.start()))
process.send?.('online')
await told()
process.send?.('begun')
const asking = stations.map(keepAsking)
await told()
life.abort()
await Promise.all(asking)
await Promise.all(stations.map((station) => station.stop()))
process.send?.({ milliseconds, failed } satisfies ProbeReport)
process.disconnect()
