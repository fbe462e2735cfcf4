import { setTimeout as sleep } from 'node:timers/promises'
import type { Database, Session } from '@busbar/store'
import type { Logger } from 'pino'

export interface ProcessLock {
  readonly held: boolean
  release(): Promise<void>
}

/**
 * Claims the embedded log for this process, by an advisory lock on a connection of its own. Two processes would each
 * believe to own all partitions, channels and stations.
 * @throws Error when another process holds it, UnavailableError when Postgres is away
 */
export async function claimEmbeddedLog(database: Database, log: Logger): Promise<ProcessLock> {
  const stopping = new AbortController()
  const pause = (ms: number) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => {})
  let state: 'unclaimed' | 'held' | 'lost' = 'unclaimed'

  const hold = (onHeld: () => void) =>
    database.session(async (session) => {
      await lock(session, pause)
      state = 'held'
      onHeld()
      while (!stopping.signal.aborted) {
        await pause(2000)
        // Fails when the connection is gone, and the lock with it.
        await session.query({ text: 'SELECT 1', values: [] })
      }
    })

  const holdAlways = async (onHeld: () => void, onRefused: (cause: unknown) => void) => {
    while (!stopping.signal.aborted) {
      try {
        await hold(onHeld)
      } catch (cause) {
        if (state === 'unclaimed') return onRefused(cause)
        state = 'lost'
        log.error({ err: cause }, 'the lock on the embedded log is lost; claiming it again')
        await pause(1000)
      }
    }
  }

  let holding: Promise<void> = Promise.resolve()
  await new Promise<void>((resolve, reject) => {
    holding = holdAlways(resolve, reject)
  })
  return {
    get held() {
      return state === 'held'
    },
    release: async () => {
      stopping.abort()
      await holding
    },
  }
}

async function lock(session: Session, pause: (ms: number) => Promise<void>): Promise<void> {
  // The connection of a process that was just killed may live a moment longer.
  for (let attempt = 0; attempt < 10; attempt++) {
    const [row] = await session.query<{ locked: boolean }>({
      text: "SELECT pg_try_advisory_lock(hashtext('busbar embedded log')) AS locked",
      values: [],
    })
    if (row?.locked) return
    await pause(200)
  }
  throw new Error('another Busbar process works on this database with its embedded log: stop it, or give both Kafka')
}
