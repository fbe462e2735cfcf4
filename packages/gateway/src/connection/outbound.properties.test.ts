import { topicNames } from '@busbar/backbone'
import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { gatewayDefaults } from '../config.js'
import { GatewayMetrics } from '../metrics.js'
import { commandMessage, testVault } from '../testing.js'
import type { Connection } from './connection.js'
import { Outbound } from './outbound.js'

beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
})

afterAll(() => {
  vi.useRealTimers()
})

interface Outcome {
  commandId: string
  outcome: string
  late: boolean
  payload?: { data?: string }
}

/** An Outbound on a connection that only remembers. */
function outbound() {
  const sent: { messageId: string; commandId: string }[] = []
  const outcomes: Outcome[] = []
  const metrics = new GatewayMetrics(new Registry())
  const connection = {
    id: 'connection-1',
    protocol: 'ocpp1.6',
    registration: 'Accepted',
    station: { id: 'CP1', switches: {} },
    ports: {
      config: { ...gatewayDefaults, callTimeoutMs: 1_000, maxQueuedCalls: 5 },
      vault: testVault,
      metrics,
      logger: pino({ level: 'silent' }),
      topics: topicNames('test'),
      kept: { append: ({ value }: { value: string }) => outcomes.push(JSON.parse(value)) },
      isAwake: () => true,
    },
    inbound: { isAnswered: () => true },
    journal: { sent: () => {} },
    refusalToSend: () => null,
    watch: () => {},
    callAnswered: () => {},
    toRecord: (_topic: string, _type: string, value: string) => ({ value }),
    send: (text: string) => {
      const [, messageId, , payload] = JSON.parse(text)
      sent.push({ messageId, commandId: payload.data })
    },
  } as unknown as Connection
  return { subject: new Outbound(connection), sent, outcomes }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('command' as const), lifeMs: fc.integer({ min: 0, max: 5_000 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('answer' as const), which: fc.nat({ max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stray' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 1_500 }) }) },
)

test('whatever crosses, comes late, twice or for nothing: one call is out, and every command gets its own outcome once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { subject, sent, outcomes } = outbound()
      const commands: string[] = []
      for (const each of steps) {
        if (each.kind === 'command') {
          const commandId = `command-${commands.length}`
          commands.push(commandId)
          const expiresAt = new Date(Date.now() + each.lifeMs).toISOString()
          const payload = { vendorId: 'x', data: commandId }
          subject.enqueue({ ...commandMessage({ commandId, expiresAt, action: 'DataTransfer', payload }), epoch: 1 })
        } else if (each.kind === 'answer') {
          // Any call that ever went out, again and again if it happens so.
          const call = sent[each.which % Math.max(1, sent.length)]
          const payload = { status: 'Accepted', data: call?.commandId }
          if (call) subject.answered({ kind: 'result', messageId: call.messageId, payload })
        } else if (each.kind === 'stray') {
          expect(subject.answered({ kind: 'result', messageId: 'nobody asked', payload: {} })).toBe(false)
        } else {
          vi.advanceTimersByTime(each.ms)
          subject.sweep(performance.now())
        }
        const ended = new Set(outcomes.map(({ commandId }) => commandId))
        expect(sent.filter(({ commandId }) => !ended.has(commandId)).length).toBeLessThanOrEqual(1)
      }
      subject.close()

      expect(new Set(sent.map(({ commandId }) => commandId)).size).toBe(sent.length)
      const first = outcomes.filter(({ late }) => !late).map(({ commandId }) => commandId)
      expect(first.toSorted()).toEqual(commands.toSorted())
      const late = outcomes.filter((each) => each.late).map(({ commandId }) => commandId)
      expect(new Set(late).size).toBe(late.length)
      for (const { commandId, payload } of outcomes) if (payload) expect(payload.data).toBe(commandId)
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 300) },
  )
}, 3_600_000)
