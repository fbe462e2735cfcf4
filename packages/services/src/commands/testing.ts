import { Vault } from '@busbar/store'
import type { Call, Command } from './command.js'
import type { CallOutcome } from './states.js'

export const now = new Date('2026-03-01T10:00:00.000Z')
export const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)
export const vault = new Vault('a master secret for tests only')

/** Fresh from the API, to be sent within 30 s. */
export function queued(overrides: Partial<Command> = {}): Command {
  return {
    id: '01900000-0000-7000-8000-000000000001',
    stationId: 'CP-1',
    protocol: 'ocpp2.0.1',
    action: 'Reset',
    payload: { type: 'Immediate' },
    requestedBy: 'key-1',
    idempotencyKey: 'once',
    requestHash: 'hash',
    status: 'queued',
    followUp: 'none',
    calls: [],
    response: null,
    lateResponse: null,
    error: null,
    epoch: null,
    createdAt: now,
    expiresAt: later(30),
    dispatchedAt: null,
    completedAt: null,
    ...overrides,
  }
}

/** Its first CALL is out. */
export function dispatched(overrides: Partial<Command> = {}): Command {
  const [first, ...rest] = overrides.calls ?? [call()]
  return queued({
    status: 'dispatched',
    dispatchedAt: now,
    ...overrides,
    calls: [{ ...call(first), dispatchedAt: now.toISOString(), expiresAt: later(30).toISOString() }, ...rest],
  })
}

export function call(overrides: Partial<Call> = {}): Call {
  return { dispatchedAt: null, expiresAt: null, outcome: null, ...overrides }
}

export function outcome(overrides: Partial<CallOutcome> = {}): CallOutcome {
  return { callIndex: 0, kind: 'result', at: later(1), epoch: 7, ...overrides }
}

export const accepted = (overrides: Partial<CallOutcome> = {}): CallOutcome =>
  outcome({ verdict: 'accepted', response: { status: 'Accepted' }, ...overrides })

export const rejected = (overrides: Partial<CallOutcome> = {}): CallOutcome =>
  outcome({ verdict: 'rejected', response: { status: 'Rejected' }, ...overrides })
