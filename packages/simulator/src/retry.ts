/** How firmware treats a transaction message that was refused or stayed without answer. */
export interface RetryPolicy {
  /** After so many attempts the message is thrown away (TransactionMessageAttempts). */
  attempts: number
  /** Multiplied by the number of attempts so far (TransactionMessageRetryInterval). */
  intervalMs: number
  /** A connection that went away before the answer counts as an attempt, as in some firmware. */
  countsCuts?: boolean
}

export const patientRetry: RetryPolicy = { attempts: 5, intervalMs: 1_000 }

/** Resolves after the time, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
