import type { Payload } from '../protocol.js'
import { formatTimestamp } from '../timestamp.js'
import type { SafeAnswerContext } from './row.js'

export function currentTime(_payload: Payload, { now }: { now: Date }): Payload {
  return { currentTime: formatTimestamp(now) }
}

/** The registration the station has anyway; one that never booted waits, which binds nobody. */
export function registrationAnswer(_payload: Payload, context: SafeAnswerContext): Payload {
  return {
    status: context.registration ?? 'Pending',
    currentTime: formatTimestamp(context.now),
    interval: context.heartbeatIntervalSeconds,
  }
}
