import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Running } from './roles.js'

/** For a part to come to its end, whatever it leans on is away. */
export const stopWithinMs = 8_000

/**
 * Stops parts in the reverse order of their start, those that only consume together, and then what they stand on. Each
 * has its time: nobody may wait for a Kafka or a Postgres that is away. Nothing is lost by leaving such a part behind,
 * for what was promised is in the log or in Postgres.
 * @returns whether all came to their end
 */
export async function stopAll(
  running: readonly Running[],
  platform: { log: Logger; close(): Promise<void> },
): Promise<boolean> {
  const { log } = platform
  let isClean = true
  const stop = async (name: string, ending: Promise<void>, withinMs = stopWithinMs) => {
    const late = sleep(withinMs, 'late' as const, { ref: false })
    const end = await Promise.race([ending, late]).catch((cause: unknown) => {
      log.error({ err: cause, part: name }, 'a part did not stop well')
      isClean = false
    })
    if (end !== 'late') return
    log.error({ part: name, withinMs }, 'a part did not stop in time')
    isClean = false
  }
  for (const together of toGroups(running)) {
    await Promise.all(together.map((part) => stop(part.name, part.stop(), part.stopWithinMs)))
  }
  await stop('platform', platform.close())
  return isClean
}

/** The last first; neighbours that listen nowhere share a group. */
function toGroups(running: readonly Running[]): Running[][] {
  const groups: Running[][] = []
  for (const part of running.toReversed()) {
    const group = groups.at(-1)
    if (part.port === null && group?.every(({ port }) => port === null)) group.push(part)
    else groups.push([part])
  }
  return groups
}
