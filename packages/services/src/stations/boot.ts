import { hash } from 'node:crypto'
import { formatTimestamp } from '@busbar/ocpp'
import { mayReact } from '../pipeline/reactions.js'
import {
  type AfterSequence,
  answer,
  type CommandDraft,
  type Decision,
  type DecisionContext,
} from '../pipeline/service.js'
import { decideRegistration } from './registration.js'
import type { StationStateRow, StationsState } from './state.js'

/** What a station says of itself when it boots; the same for both versions. */
export type Introduction = Pick<
  StationStateRow,
  | 'bootReason'
  | 'vendor'
  | 'model'
  | 'serialNumber'
  | 'chargeBoxSerialNumber'
  | 'firmwareVersion'
  | 'iccid'
  | 'imsi'
  | 'meterType'
  | 'meterSerialNumber'
>

interface BootAnswer {
  currentTime: string
  interval: number
  status: 'Accepted' | 'Pending' | 'Rejected'
}

/**
 * Keeps what the station said and answers by its registration policy. Closes no transaction: a StopTransaction or Ended
 * of before the boot may still come.
 */
export function boot(
  introduction: Introduction,
  state: StationsState,
  { station, now, record }: DecisionContext,
): Decision & { answer: { result: BootAnswer } } {
  const { status, interval, onboarded } = decideRegistration(state.findPolicy(station.id), state.stateOf(station.id))
  const { bootCount, lastSeenAt } = state.stateOf(station.id)
  state.changeState(station.id, {
    ...introduction,
    registration: status,
    onboarded,
    bootCount: bootCount + 1,
    lastBootAt: record.receivedAt,
    lastSeenAt: lastSeenAt && lastSeenAt > record.receivedAt ? lastSeenAt : record.receivedAt,
  })
  const data = { protocol: station.protocol, registration: status, bootCount: bootCount + 1, ...introduction }
  const wait = status === 'Accepted' ? interval : spread(interval, `${station.id}/${bootCount}`)
  const policy = state.findPolicy(station.id)
  const isReacting = status === 'Accepted' && policy && mayReact('set-heartbeat-interval', policy.switches)
  return answer(
    { currentTime: formatTimestamp(now), interval: wait, status },
    {
      events: [{ type: 'station.booted', subject: 'station', data }],
      ...(isReacting && station.protocol === 'ocpp1.6' && { commands: [setHeartbeatInterval(interval, record)] }),
    },
  )
}

function setHeartbeatInterval(seconds: number, afterSequence: AfterSequence): CommandDraft {
  return {
    reaction: 'set-heartbeat-interval',
    action: 'ChangeConfiguration',
    payload: { key: 'HeartbeatInterval', value: String(seconds) },
    reason: 'the station ignores the interval that its boot is answered with',
    afterSequence,
  }
}

/**
 * Up to a tenth longer: stations that were turned away together must not all come back in the same second.
 * @param seconds at least so long
 * @param seed the same gives the same, so that a redo repeats its answer
 */
function spread(seconds: number, seed: string): number {
  const fraction = Number.parseInt(hash('sha256', seed).slice(0, 8), 16) / 2 ** 32
  return seconds + Math.floor((seconds / 10) * fraction)
}

/** The text as it came, however long; null for anything else, '' included. */
export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
