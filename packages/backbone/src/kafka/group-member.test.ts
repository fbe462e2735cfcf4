import type { ConsumerConfig, Kafka } from 'kafkajs'
import { afterEach, expect, test, vi } from 'vitest'
import { log } from '../contract/sides.js'
import { GroupMember } from './group-member.js'

afterEach(() => {
  vi.useRealTimers()
})

/** kafkajs as a member meets it, joined as `before`. */
function joinedMember(findGroupCoordinator: () => Promise<unknown>) {
  let config = {} as ConsumerConfig
  const listeners = new Map<string, (event: object) => void>()
  const consumer = {
    events: { GROUP_JOIN: 'join', HEARTBEAT: 'heartbeat', CRASH: 'crash' },
    on: (name: string, listener: (event: object) => void) => listeners.set(name, listener),
    connect: async () => {},
    disconnect: async () => {},
  }
  const consumerOf = (given: ConsumerConfig) => {
    config = given
    return consumer
  }
  const member = new GroupMember({
    kafka: { consumer: consumerOf } as unknown as Kafka,
    groupId: 'group',
    topics: ['lane'],
    run: async () => {},
    onJoin: () => {},
    log,
  })
  const cluster = { connect: async () => {}, findGroupCoordinator }
  const assigner = config.partitionAssigners?.[0]?.({ cluster } as never)
  const joins = () => assigner?.protocol({ topics: ['lane'] })
  const hasJoined = () => listeners.get('join')?.({ payload: { memberId: 'before', memberAssignment: {} } })
  const heartbeat = () => listeners.get('heartbeat')?.({ payload: {} })
  joins()
  hasJoined()
  return {
    member,
    joins,
    hasJoined,
    heartbeat,
    mayRestart: () => config.retry?.restartOnFailure?.(new Error('crashed')),
  }
}

test('however late the next coordinator comes, it is told who is gone before anybody joins', async () => {
  vi.useFakeTimers()
  const left: object[] = []
  const startedAt = Date.now()
  const { mayRestart } = joinedMember(async () => {
    if (Date.now() - startedAt < 20_000) throw new Error('no coordinator yet')
    return { leaveGroup: async (gone: object) => void left.push(gone) }
  })
  const restart = mayRestart()
  await vi.advanceTimersByTimeAsync(19_000)
  expect(left).toEqual([])
  await vi.advanceTimersByTimeAsync(2_000)

  expect(await restart).toBe(true)
  expect(left).toEqual([{ groupId: 'group', memberId: 'before' }])
})

test('one that the coordinator does not know need not be told again, and one that is stopped waits for none', async () => {
  const unknown = Object.assign(new Error('who?'), { type: 'UNKNOWN_MEMBER_ID' })
  const asked = vi.fn(async () => ({ leaveGroup: () => Promise.reject(unknown) }))
  const forgotten = joinedMember(asked)
  expect(await forgotten.mayRestart()).toBe(true)
  expect(await forgotten.mayRestart()).toBe(true)
  expect(asked).toHaveBeenCalledTimes(1)

  const { member, mayRestart } = joinedMember(() => Promise.reject(new Error('no coordinator')))
  const restart = mayRestart()
  await member.stop()
  expect(await restart).toBe(false)
})

test('a member whose join was not answered to its end is told to join again, until it has', () => {
  const { joins, hasJoined, heartbeat } = joinedMember(async () => ({}))
  expect(heartbeat).not.toThrow()

  joins()
  expect(heartbeat).toThrow(expect.objectContaining({ type: 'REBALANCE_IN_PROGRESS' }))
  joins()
  hasJoined()
  expect(heartbeat).not.toThrow()
})
