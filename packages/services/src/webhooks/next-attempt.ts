const firstDelayMs = 5_000
const longestDelayMs = 3_600_000

/**
 * When a delivery is tried again: after 5 s, 10 s, 20 s, ... up to an hour, each between half of it and the whole, so that
 * what failed together does not come together again; later where the receiver asked for that.
 *
 * @param failed attempts so far, this one included
 * @param random 0 to 1
 * @returns null when its time would be over by then
 */
export function nextAttemptAt(
  failed: number,
  { now, expiresAt, random, retryAfterMs }: { now: Date; expiresAt: Date; random: number; retryAfterMs: number | null },
): Date | null {
  const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (failed - 1)) * (0.5 + random / 2)
  const askedMs = Math.min(longestDelayMs, retryAfterMs ?? 0)
  const at = new Date(now.getTime() + Math.max(delayMs, askedMs))
  return at < expiresAt ? at : null
}
