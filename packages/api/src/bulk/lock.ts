import { type Database, type Session, sql } from '@busbar/store'
import { InTurn } from '../in-turn.js'

const lock = sql("SELECT pg_advisory_lock(hashtext('busbar bulk commands'))")
const tryLock = sql("SELECT pg_try_advisory_lock(hashtext('busbar bulk commands')) AS taken")
/** Until the commit it is in is over. Whoever waits for it holds a connection of the pool: one at a time in a process. */
export const lockInCommit = sql("SELECT pg_advisory_xact_lock(hashtext('busbar bulk commands'))")
const unlock = sql("SELECT pg_advisory_unlock(hashtext('busbar bulk commands'))")

/** What is done under it are few statements of the pool, 5 s each. */
const lockLimits = { statementTimeoutMs: 10_000, idleTimeoutMs: 30_000 }

/**
 * One at a time over all API processes: the steps, and whatever an operator decides about a bulk command. So once a stop is
 * answered nothing more is sent, and two wishes cannot both pass a limit that holds for their sum. A process that hangs loses it
 * after 30 s.
 */
export class BulkLock {
  readonly #database: Database
  readonly #turn = new InTurn()

  constructor(database: Database) {
    this.#database = database
  }

  /** @throws UnavailableError, also when another process does not give it back */
  hold<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.run(() =>
      this.#database.session(async (session) => {
        await session.query(lock())
        try {
          return await work()
        } finally {
          await session.query(unlock())
        }
      }, lockLimits),
    )
  }

  /**
   * Does nothing while another holds it.
   * @param work what it writes by this session is gone when the lock is
   */
  holdIfFree(work: (session: Session) => Promise<void>): Promise<void> {
    return this.#database.session(async (session) => {
      const [row] = await session.query<{ taken: boolean }>(tryLock())
      if (!row?.taken) return
      try {
        await work(session)
      } finally {
        await session.query(unlock())
      }
    }, lockLimits)
  }
}
