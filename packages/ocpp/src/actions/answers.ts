import type { Payload } from '../protocol.js'
import { formatTimestamp } from '../timestamp.js'
import type { SafeAnswerContext } from './row.js'

export function currentTime(_payload: Payload, { now }: { now: Date }): Payload {
  return { currentTime: formatTimestamp(now) }
}

/** Until a boot that nobody decided on is tried again: the decision was a moment late. */
const bootAgainSeconds = 30

/**
 * The registration the station has anyway; one that never booted waits, which binds nobody. Not for long: the interval is
 * that of heartbeats when accepted, else the time to the next boot (OCPP 1.6 §4.2; 2.0.1 B02).
 */
export function registrationAnswer(_payload: Payload, context: SafeAnswerContext): Payload {
  const status = context.registration ?? 'Pending'
  return {
    status,
    currentTime: formatTimestamp(context.now),
    interval: status === 'Accepted' ? context.heartbeatIntervalSeconds : bootAgainSeconds,
  }
}
