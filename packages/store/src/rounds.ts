import { UnavailableError } from './errors.js'

interface Entry<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (cause: unknown) => void
}

/** Of one round. */
const itemsAtOnce = 500

/**
 * Does the same work for many callers together: the items of one event-loop turn, and those that come while a round is
 * under way, share the next round. What one statement can do for all of them then costs a statement and no more.
 *
 * @param work one result for each item, in order. Where it fails it is done again for each item alone: nobody fails because
 *   of another. For want of Postgres all that wait fail at once: it would not answer them either, and who gave up meanwhile
 *   would stand in the way of those who come when it is back.
 */
export function inRounds<Item, Result>(
  work: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  const waiting: Entry<Item, Result>[] = []
  let isRunning = false

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const entries = waiting.splice(0, itemsAtOnce)
      try {
        await take(entries)
      } catch (cause) {
        for (const { reject } of [...entries, ...waiting.splice(0)]) reject(cause)
      }
    }
    isRunning = false
  }

  /** @throws UnavailableError */
  async function take(entries: readonly Entry<Item, Result>[]): Promise<void> {
    try {
      const results = await work(entries.map(({ item }) => item))
      for (const [index, { resolve }] of entries.entries()) resolve(results[index] as Result)
    } catch (cause) {
      if (cause instanceof UnavailableError) throw cause
      if (entries.length > 1) for (const entry of entries) await take([entry])
      else for (const { reject } of entries) reject(cause)
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (isRunning) return
      isRunning = true
      setImmediate(() => void run())
    })
}
