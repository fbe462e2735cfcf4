import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Command, isComplete, type OutcomeKind } from './command.js'
import {
  type CallOutcome,
  callOfRequest,
  concludeFollowUp,
  fallDue,
  giveUp,
  missFollowUps,
  plusSeconds,
  type Step,
  settle,
  start,
  verdictDueAt,
} from './states.js'
import { accepted, call, dispatched, later, now, outcome, queued, rejected } from './testing.js'

test('a queued command is handed out once', () => {
  const command = queued()
  const first = start(command, [command.payload], now)
  expect(first).toMatchObject({ dispatch: 0, command: { status: 'dispatched', dispatchedAt: now } })
  expect(start(first.command, [command.payload], now).dispatch).toBeNull()
})

test('a command is not called expired for its request being read late: it may have been handed out before', () => {
  const command = queued()
  const { command: started } = start(command, [command.payload], later(300))
  expect(settle(started, accepted(), later(301)).command).toMatchObject({ status: 'accepted' })
})

test.each<[OutcomeKind, string]>([
  ['error', 'error'],
  ['timeout', 'timeout'],
  ['expired', 'expired'],
  ['unsent', 'undeliverable'],
  ['undeliverable', 'undeliverable'],
  ['lost', 'unknown'],
])('the word "%s" makes a command %s', (kind, status) => {
  expect(settle(dispatched(), outcome({ kind }), later(2)).command).toMatchObject({ status, completedAt: later(2) })
})

test("the station's answer decides, and is kept whole", () => {
  expect(settle(dispatched(), accepted(), now).command).toMatchObject({
    status: 'accepted',
    response: { status: 'Accepted' },
    epoch: 7,
  })
  expect(settle(dispatched(), rejected(), now).command.status).toBe('rejected')
})

test('an answer that breaks its schema is an error', () => {
  const error = { code: 'TypeConstraintViolation', description: '' }
  expect(settle(dispatched(), outcome({ response: { status: 1 }, error }), now).command).toMatchObject({
    status: 'error',
    error,
    response: { status: 1 },
  })
})

test.each<OutcomeKind>(['timeout', 'lost'])('an answer after "%s" is kept beside the verdict', (kind) => {
  const over = settle(dispatched(), outcome({ kind }), now).command
  const { command, dispatch } = settle(over, accepted(), later(40))
  expect(dispatch).toBeNull()
  expect(command).toEqual({
    ...over,
    lateResponse: { status: 'Accepted' },
    calls: [{ ...over.calls[0], late: { outcome: 'result', verdict: 'accepted', answeredAt: later(1).toISOString() } }],
  })
  expect(settle(command, rejected(), later(41)).command).toBe(command)
})

test('a second word, or one on a CALL that was never handed out, changes nothing', () => {
  const done = settle(dispatched(), accepted(), now).command
  expect(settle(done, rejected(), now).command).toBe(done)
  expect(settle(done, outcome({ kind: 'timeout' }), now).command).toBe(done)
  const twoCalls = dispatched({ calls: [call(), call()] })
  expect(settle(twoCalls, accepted({ callIndex: 1 }), now).command).toBe(twoCalls)
  expect(settle(twoCalls, accepted({ callIndex: 9 }), now).command).toBe(twoCalls)
})

test('the next CALL goes out after the word on the one before, with an expiry of its own', () => {
  const payload = { getVariableData: [] }
  const command = dispatched({ action: 'GetVariables', calls: [call({ payload }), call({ payload })] })
  const part = (result: string) => accepted({ response: { getVariableResult: [result] } })

  const first = settle(command, part('a'), later(20))
  expect(first).toMatchObject({ dispatch: 1, command: { status: 'dispatched' } })
  expect(first.command.calls[1]?.expiresAt).toBe(later(46).toISOString())

  const second = settle(first.command, { ...part('b'), callIndex: 1 }, later(21))
  expect(second).toMatchObject({
    dispatch: null,
    command: { status: 'accepted', response: { getVariableResult: ['a', 'b'] } },
  })
})

test('what a split command brought before it failed is kept', () => {
  const command = dispatched({ action: 'GetVariables', calls: [call(), call()] })
  const first = settle(command, accepted({ response: { getVariableResult: ['a'] } }), now)
  expect(settle(first.command, outcome({ callIndex: 1, kind: 'timeout' }), now).command).toMatchObject({
    status: 'timeout',
    response: { getVariableResult: ['a'] },
  })
})

test('a local list stops at the first part the station refuses', () => {
  const command = dispatched({ action: 'SendLocalList', calls: [call(), call()] })
  const failed = rejected({ response: { status: 'VersionMismatch' } })
  expect(settle(command, failed, now)).toMatchObject({
    dispatch: null,
    command: { status: 'rejected', response: { status: 'VersionMismatch' } },
  })
})

test('no word in time makes a command unknown, no sooner than its time-out allows', () => {
  const command = dispatched()
  expect(verdictDueAt(command)).toEqual(later(65))
  expect(fallDue(command, later(64))).toBe(command)
  expect(fallDue(command, later(65))).toMatchObject({ status: 'unknown', completedAt: later(65) })
  expect(verdictDueAt(dispatched({ action: 'UnlockConnector' }))).toEqual(later(95))
})

test('a report is open until it came, complete even when it came before the answer or too late', () => {
  const command = dispatched({ action: 'GetBaseReport', payload: { requestId: 4, reportBase: 'FullInventory' } })
  const open = settle(command, accepted(), now).command
  expect(open.followUp).toBe('open')
  expect(callOfRequest(open, 4)).toBe(0)
  expect(callOfRequest(open, 5)).toBe(-1)
  expect(concludeFollowUp(open, 0, 'complete').followUp).toBe('complete')
  expect(missFollowUps(open).followUp).toBe('incomplete')
  expect(concludeFollowUp(missFollowUps(open), 0, 'complete').followUp).toBe('complete')
  expect(settle(concludeFollowUp(command, 0, 'complete'), accepted(), now).command.followUp).toBe('complete')
  expect(settle(command, rejected(), now).command.followUp).toBe('none')
})

test('a late acceptance opens the follow-up as well', () => {
  const command = dispatched({ action: 'GetBaseReport', payload: { requestId: 4, reportBase: 'FullInventory' } })
  const over = settle(command, outcome({ kind: 'timeout' }), now).command
  expect(settle(over, accepted(), later(1)).command).toMatchObject({ status: 'timeout', followUp: 'open' })
})

test('a report in parts is complete when each accepted part has come', () => {
  const payloads = [1, 2].map((requestId) => ({ requestId }))
  const command = dispatched({ action: 'GetReport', calls: payloads.map((payload) => call({ payload })) })
  const half = settle(settle(command, accepted(), now).command, accepted({ callIndex: 1 }), now).command
  expect(concludeFollowUp(half, 0, 'complete').followUp).toBe('open')
  expect(concludeFollowUp(concludeFollowUp(half, 0, 'complete'), 1, 'complete').followUp).toBe('complete')
})

type Happening =
  | { kind: 'request' }
  | { kind: 'word'; outcome: CallOutcome }
  | { kind: 'due' }
  | { kind: 'lost' }
  | { kind: 'report'; callIndex: number }
  | { kind: 'wait'; seconds: number }

const anyOutcome: fc.Arbitrary<CallOutcome> = fc
  .record({
    callIndex: fc.integer({ min: 0, max: 3 }),
    kind: fc.constantFrom<OutcomeKind>('result', 'error', 'timeout', 'expired', 'unsent', 'lost', 'undeliverable'),
    verdict: fc.constantFrom('accepted' as const, 'rejected' as const, undefined),
  })
  .map(({ callIndex, kind, verdict }) =>
    outcome({ callIndex, kind, ...(kind === 'result' && { ...(verdict && { verdict }), response: {} }) }),
  )

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.constant<Happening>({ kind: 'request' }),
  { weight: 6, arbitrary: anyOutcome.map((each): Happening => ({ kind: 'word', outcome: each })) },
  fc.constant<Happening>({ kind: 'due' }),
  fc.constant<Happening>({ kind: 'lost' }),
  fc.nat(3).map((callIndex): Happening => ({ kind: 'report', callIndex })),
  fc.nat(60).map((seconds): Happening => ({ kind: 'wait', seconds })),
)

function happen(command: Command, event: Happening, payloads: object[], at: Date): Step {
  const still = (changed: Command): Step => ({ command: changed, dispatch: null })
  switch (event.kind) {
    case 'request':
      return start(command, payloads as Record<string, unknown>[], at)
    case 'word':
      return settle(command, event.outcome, at)
    case 'due':
      return still(fallDue(missFollowUps(command), at))
    case 'lost':
      return still(giveUp(command, at))
    case 'report':
      return still(concludeFollowUp(command, event.callIndex, 'complete'))
    case 'wait':
      return still(command)
  }
}

test('whatever comes, in whatever order and however often: one verdict, and each CALL goes out at most once', () => {
  const action = fc.constantFrom('GetVariables', 'GetReport', 'SendLocalList', 'SetVariables', 'Reset')
  fc.assert(
    fc.property(
      action,
      fc.integer({ min: 1, max: 4 }),
      fc.array(happening, { maxLength: 40 }),
      (name, calls, events) => {
        const payloads = Array.from({ length: name === 'Reset' ? 1 : calls }, (_, requestId) => ({ requestId }))
        let command = queued({ action: name })
        let at = now
        const out: number[] = []
        const verdicts = new Set<string>()
        for (const event of events) {
          if (event.kind === 'wait') at = plusSeconds(at, event.seconds)
          const before = command
          const step = happen(command, event, payloads, at)
          command = step.command
          if (step.dispatch !== null) out.push(step.dispatch)
          if (isComplete(command)) verdicts.add(command.status)
          // A verdict, once given, stays, and nothing is sent after it.
          if (isComplete(before)) {
            expect(step.dispatch).toBeNull()
            expect(command.status).toBe(before.status)
            expect(command.completedAt).toEqual(before.completedAt)
            expect(command.response).toEqual(before.response)
          }
        }
        expect(out).toEqual([...out.keys()])
        expect(verdicts.size).toBeLessThanOrEqual(1)
        const ended = fallDue(command, plusSeconds(at, 3600))
        expect(isComplete(ended)).toBe(true)
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 2_000) },
  )
}, 300_000)
