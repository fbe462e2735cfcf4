import {
  type ChannelListener,
  type ChannelMessage,
  gatewaysChannel,
  type RefusedAttempt,
  type StationChannels,
} from '@busbar/backbone'
import { expect, test, vi } from 'vitest'
import { fakePorts } from '../pipeline/testing.js'
import { startRefusedWatch } from './refused-watch.js'

const attempt = (lastAt: number, rest: Partial<RefusedAttempt> = {}): RefusedAttempt => ({
  ...{ stationId: 'CP-1', reason: 'credentials', address: '192.0.2.1', count: lastAt },
  ...{ lastAt: new Date(lastAt * 1_000).toISOString() },
  ...rest,
})

/** Gateways that answer what `known` holds at the time, and a database in which CP-1 and CP-2 are registered. */
function watchGateways(known: Record<string, RefusedAttempt[]>) {
  const ports = fakePorts()
  let asked = 0
  const listeners = new Map<string, ChannelListener>()
  const channels: Pick<StationChannels, 'subscribe' | 'unsubscribe' | 'publish'> = {
    subscribe: async (channel, listener) => void listeners.set(channel, listener),
    unsubscribe: async (channel) => void listeners.delete(channel),
    publish: async ([query]) => {
      expect(query?.channel).toBe(gatewaysChannel)
      asked += 1
      const gateways = Object.entries(known)
      for (const [gatewayId, attempts] of gateways) {
        const message: ChannelMessage = { kind: 'refused-attempts', gatewayId, attempts }
        for (const listener of listeners.values()) listener.receive(structuredClone(message))
      }
      return [gateways.length]
    },
  }
  Object.assign(ports.backbone, { channels })
  Object.assign(ports.database, {
    query: async ({ values: [ids] }: { values: string[][] }) =>
      (ids ?? []).filter((id) => ['CP-1', 'CP-2'].includes(id)).map((id) => ({ id })),
  })
  const told = () =>
    ports.appended.map(({ key, value }) => ({ key, ...(JSON.parse(String(value)) as Partial<RefusedAttempt>) }))
  /** What was told comes before the next question. */
  const rounds = async (count: number) => {
    const until = asked + count
    await vi.waitFor(() => expect(asked).toBeGreaterThan(until), { interval: 5 })
  }
  return { told, rounds, watch: startRefusedWatch(ports, 5) }
}

test('an attack that goes on is told again and again, the attempts at all gateways counted; what stands is told once', async () => {
  const known = { a: [attempt(40)], b: [attempt(3)] }
  const { told, rounds, watch } = watchGateways(known)
  await rounds(3)
  expect(told()).toEqual([{ key: 'CP-1', reason: 'credentials', count: 43, lastAt: attempt(40).lastAt }])

  known.a = [attempt(75)]
  await rounds(3)
  await watch.stop()
  expect(told().slice(1)).toEqual([{ key: 'CP-1', reason: 'credentials', count: 78, lastAt: attempt(75).lastAt }])
})

test('who is throttled is told even where the gateway has forgotten why; what passes by itself and strangers are not', async () => {
  const { told, rounds, watch } = watchGateways({
    a: [
      attempt(50, { stationId: 'CP-2', reason: 'throttled' }),
      attempt(9, { reason: 'protocol' }),
      attempt(60, { stationId: 'STRANGER' }),
    ],
  })
  await rounds(2)
  await watch.stop()
  expect(told()).toMatchObject([{ key: 'CP-2', reason: 'throttled', count: 50 }])
})
