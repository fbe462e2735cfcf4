import type { LogRecord } from '@busbar/backbone'
import { OffsetConflictError, UnavailableError } from '@busbar/store'
import { expect, test } from 'vitest'
import { runService } from './run-service.js'
import { answer, type Decision, type Service } from './service.js'
import { type FakePorts, fakePorts, loggedCall } from './testing.js'

function service(decision: Decision, overrides: Partial<Service<null>> = {}): Service<null> {
  return {
    name: 'stations',
    topics: (names) => [names.lane('stations')],
    load: async () => null,
    decide: () => decision,
    save: () => [],
    ...overrides,
  }
}

async function deliver(ports: FakePorts, running: Service<null>, ...records: LogRecord[]): Promise<void> {
  await runService(running, ports)
  await ports.consumed?.onBatch({ records, advance: { text: 'ADVANCE', values: [] } })
}

const job = {
  service: 'stations' as const,
  kind: 'expiry',
  key: 'k',
  stationId: 'CP-1',
  dueAt: new Date('2026-03-01T11:00:00Z'),
}

test('nothing leaves before the commit', async () => {
  const ports = fakePorts()
  const decision = answer(
    {},
    { events: [{ type: 'station.booted', subject: 'y', data: {} }], jobs: { put: [job], remove: [] } },
  )
  const after = async () => void ports.calls.push('after')

  await deliver(ports, service(decision, { after }), loggedCall('BootNotification', {}))

  expect(ports.calls[0]).toBe('commit')
  expect(ports.calls.slice(1).sort()).toEqual(['after', 'flush', 'publish', 'schedule'])
  expect(ports.flushed).toEqual([['stations:0']])
  expect(ports.scheduled).toEqual([job])
})

test('an answer carries connection and sequence of its call', async () => {
  const ports = fakePorts()

  await deliver(ports, service(answer({ status: 'Accepted' })), loggedCall('BootNotification', {}))

  expect(ports.published).toEqual([
    {
      channel: 'station:CP-1',
      message: {
        kind: 'answer',
        connectionId: 'connection-1',
        sequence: 1,
        answer: { result: { status: 'Accepted' } },
      },
    },
  ])
})

test('a call that was answered on log gets no second answer', async () => {
  const ports = fakePorts()

  await deliver(ports, service(answer({})), loggedCall('StatusNotification', {}, { extraHeaders: { answer: 'log' } }))

  expect(ports.published).toEqual([])
})

test('a call that became a dead letter gets no answer: the safe answer of the gateway covers it', async () => {
  const ports = fakePorts()
  const broken = service(
    {},
    {
      decide: () => {
        throw new Error('bug')
      },
    },
  )

  await deliver(ports, broken, loggedCall('BootNotification', {}))

  expect(ports.published).toEqual([])
})

test('without Postgres no answer leaves and the batch comes again', async () => {
  const ports = fakePorts({
    onCommit: () => {
      throw new UnavailableError('gone')
    },
  })

  await expect(deliver(ports, service(answer({})), loggedCall('BootNotification', {}))).rejects.toThrow(
    UnavailableError,
  )
  expect(ports.calls).toEqual([])
})

test('without Redis the batch is done all the same, and the lost answers are counted', async () => {
  const ports = fakePorts({
    onPublish: () => {
      throw new UnavailableError('gone')
    },
  })

  await deliver(ports, service(answer({})), loggedCall('BootNotification', {}))

  expect(ports.commits).toHaveLength(1)
  expect(await ports.metrics.metrics()).toContain('busbar_service_answers_lost_total{service="stations"} 1')
})

test('work after the commit that fails does not bring the batch again', async () => {
  const ports = fakePorts()
  const after = async () => {
    throw new Error('bug')
  }

  await deliver(ports, service({}, { after }), loggedCall('BootNotification', {}))

  expect(await ports.metrics.metrics()).toContain('busbar_service_failures_after_commit_total{service="stations"} 1')
})

test('rows an earlier owner left behind are sent when a partition is assigned', async () => {
  const ports = fakePorts()
  await runService(service({}), ports)

  ports.consumed?.onAssigned?.([3, 4])

  expect(ports.flushed).toEqual([['stations:3', 'stations:4']])
})

test('rows of a commit that ended without a word are sent once Postgres answers again', async () => {
  let say: unknown = new UnavailableError('connection lost during COMMIT')
  const ports = fakePorts({
    onCommit: () => {
      if (say) throw say
    },
  })
  await runService(service({}), ports)
  ports.consumed?.onAssigned?.([0])
  ports.flushed.length = 0
  const batch = { records: [loggedCall('BootNotification', {})], advance: { text: 'ADVANCE', values: [] } }
  await expect(ports.consumed?.onBatch(batch)).rejects.toThrow(UnavailableError)
  expect(ports.flushed).toEqual([])

  // The commit had gone through: the offsets are not where the redo expects them.
  say = new OffsetConflictError('moved')
  await expect(ports.consumed?.onBatch(batch)).rejects.toThrow(OffsetConflictError)

  expect(ports.flushed).toEqual([['stations:0']])
})

test('what a station calls its action never becomes a label', async () => {
  const ports = fakePorts()

  await deliver(ports, service({}), loggedCall('Ev1l"', {}))

  expect(await ports.metrics.metrics()).toContain('{service="stations",action="other",outcome="noted"} 1')
})

test('two services share one registry', async () => {
  const ports = fakePorts()

  await runService(service({}), ports)
  await expect(runService(service({}, { name: 'journal' }), ports)).resolves.toBeDefined()
})
