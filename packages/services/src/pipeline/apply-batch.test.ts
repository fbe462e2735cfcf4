import type { LogBatch, LogRecord } from '@busbar/backbone'
import { OcppError } from '@busbar/ocpp'
import { DataError, OffsetConflictError, type Sql, UnavailableError } from '@busbar/store'
import { expect, test } from 'vitest'
import { applyBatch } from './apply-batch.js'
import { serviceMetrics } from './metrics.js'
import { answer, type Decision, type InboundRecord, type Service } from './service.js'
import { type FakePorts, fakePorts, loggedCall, logRecord } from './testing.js'

const advance: Sql = { text: 'ADVANCE', values: [] }

/** Sees each record's vendorId; `decide` may be overridden per vendorId. */
function recordingService(
  decisions: Record<string, (record: InboundRecord) => Decision> = {},
): Service<{ seen: string[] }> {
  return {
    name: 'stations',
    topics: (names) => [names.lane('stations')],
    load: async () => ({ seen: [] }),
    decide: (record, state) => {
      const name = String(record.payload.vendorId)
      state.seen.push(name)
      return decisions[name]?.(record) ?? answer({ status: name })
    },
    save: ({ seen }) => [{ text: 'SAVE', values: [...seen] }],
  }
}

function call(vendorId: string, overrides: Partial<LogRecord> = {}): LogRecord {
  return loggedCall('DataTransfer', { vendorId }, overrides)
}

function batchOf(...records: LogRecord[]): LogBatch {
  return { records: records.map((record, index) => ({ ...record, offset: BigInt(index) })), advance }
}

function apply<State>(batch: LogBatch, service: Service<State>, ports: FakePorts) {
  const sender = { service: service.name, logId: ports.backbone.log.id, topics: ports.backbone.topics }
  return applyBatch(batch, service, { ports, sender, metrics: serviceMetrics(ports.metrics, service.name) })
}

const saved = (ports: FakePorts) =>
  ports.commits.map((statements) => statements.find(({ text }) => text === 'SAVE')?.values)
const deadLetters = (ports: FakePorts) =>
  ports.commits.flat().filter(({ text }) => text.startsWith('INSERT INTO dead_letter'))
const fail = (cause: unknown) => () => {
  throw cause
}
const savesRecord = (name: string) => (statements: readonly Sql[]) =>
  statements.some(({ text, values }) => text === 'SAVE' && values.includes(name))

test('effects and offsets are one commit, the offsets last', async () => {
  const ports = fakePorts()

  await apply(batchOf(call('a'), call('b')), recordingService(), ports)

  expect(ports.commits).toEqual([[{ text: 'SAVE', values: ['a', 'b'] }, advance]])
})

test('a decision that throws becomes a dead letter in the same commit, its neighbours never see its state', async () => {
  const ports = fakePorts()
  const service = recordingService({ bad: fail(new TypeError('a bug of ours')) })

  const applied = await apply(batchOf(call('a'), call('bad'), call('b')), service, ports)

  expect(saved(ports)).toEqual([['a', 'b']])
  expect(applied.decided.map(({ record }) => record.payload.vendorId)).toEqual(['a', 'b'])
  expect(applied.dead).toHaveLength(1)
  const [letter] = deadLetters(ports)
  expect(letter?.values.slice(1, 6)).toEqual(['stations', 'busbar.ocpp.stations', 0, 1n, 'CP-1'])
  expect(String(letter?.values[7])).toBe('[2,"message-1","DataTransfer",{"vendorId":"bad"}]')
  expect(letter?.values[8]).toContain('a bug of ours')
})

test('a record that cannot be read becomes a dead letter', async () => {
  const ports = fakePorts()

  await apply(batchOf(call('a'), call('x', { value: Buffer.from('[2,') })), recordingService(), ports)

  expect(saved(ports)).toEqual([['a']])
  expect(deadLetters(ports)).toHaveLength(1)
})

test('the secrets of a dead letter are masked', async () => {
  const ports = fakePorts()
  const service = { ...recordingService(), decide: fail(new Error('bug')) }
  const idToken = { idToken: '4711', type: 'KeyCode' }

  await apply(batchOf(loggedCall('Authorize', { idToken })), service, ports)

  expect(String(deadLetters(ports)[0]?.values[7])).not.toContain('4711')
})

const outcome = (payload: object) =>
  logRecord({
    value: Buffer.from(JSON.stringify({ commandId: 'c-1', action: 'GetConfiguration', outcome: 'result', payload })),
    headers: { type: 'outcome', station: 'CP-1', protocol: 'ocpp1.6' },
  })
const request = (text: string) => logRecord({ topic: 'busbar.commands', value: Buffer.from(text) })
const change = { action: 'ChangeConfiguration', payload: { key: 'AuthorizationKey', value: '4711' } }

test.each([
  ['an answer to a CALL', outcome({ configurationKey: [{ key: 'AuthorizationKey', readonly: false, value: '4711' }] })],
  ['a request', request(JSON.stringify({ stationId: 'CP-1', ...change }))],
  ['a request that is no JSON', request(JSON.stringify(change).slice(0, -1))],
])('no secret of %s is kept in a dead letter', async (_, record) => {
  const ports = fakePorts()
  const service = { ...recordingService(), decide: fail(new Error('bug')) }

  await apply(batchOf(record), service, ports)

  const kept = String(deadLetters(ports)[0]?.values[7])
  expect(kept).not.toContain('4711')
  expect(kept).toContain('Configuration')
})

test('a dead letter without secrets keeps its bytes', async () => {
  const ports = fakePorts()
  const service = { ...recordingService(), decide: fail(new Error('bug')) }
  const record = request('{ "stationId": "CP-1",  "action": "Reset", "payload": { "type": "Hard" } }')

  await apply(batchOf(record), service, ports)

  expect(deadLetters(ports)[0]?.values[7]).toEqual(record.value)
})

test('OcppError answers the station and keeps what was decided before it', async () => {
  const ports = fakePorts()
  const service = recordingService({ wrong: fail(new OcppError('PropertyConstraintViolation', 'too big')) })

  const applied = await apply(batchOf(call('wrong'), call('a')), service, ports)

  expect(applied.decided[0]?.decision.answer).toEqual({
    error: { code: 'PropertyConstraintViolation', message: 'too big' },
  })
  expect(saved(ports)).toEqual([['wrong', 'a']])
  expect(deadLetters(ports)).toEqual([])
})

test.each([1, 2, 7, 50])(
  'of %i records, those Postgres refuses become dead letters and all others are saved',
  async (count) => {
    const names = Array.from({ length: count }, (_, index) => `record-${index}`)
    const refused = [names[0], names[Math.floor(count / 2)], names[count - 1]]
    const ports = fakePorts({
      onCommit: (statements) => {
        if (refused.some((name) => name && savesRecord(name)(statements))) throw new DataError('22003', 'out of range')
      },
    })

    const applied = await apply(batchOf(...names.map((name) => call(name))), recordingService(), ports)

    expect(saved(ports)).toEqual([names.filter((name) => !refused.includes(name))])
    expect(applied.dead).toHaveLength(new Set(refused).size)
    expect(deadLetters(ports)).toHaveLength(new Set(refused).size)
  },
)

test('of many stations, only a few times as many records are decided as came, whatever Postgres refuses', async () => {
  const names = Array.from({ length: 512 }, (_, index) => `record-${index}`)
  const refused = names.filter((_, index) => index % 100 === 50)
  const ports = fakePorts({
    onCommit: (statements) => {
      if (refused.some((name) => savesRecord(name)(statements))) throw new DataError('22003', 'out of range')
    },
  })
  let decided = 0
  const service = recordingService()
  const { decide } = service
  service.decide = (...given) => {
    decided += 1
    return decide(...given)
  }
  const records = names.map((name, index) => call(name, { headers: { ...call(name).headers, station: `CP-${index}` } }))

  const applied = await apply(batchOf(...records), service, ports)

  expect(applied.dead.map(({ record }) => record.headers.station)).toEqual([
    'CP-50',
    'CP-150',
    'CP-250',
    'CP-350',
    'CP-450',
  ])
  expect(saved(ports)).toEqual([names.filter((name) => !refused.includes(name))])
  expect(decided).toBeLessThan(8 * names.length)
})

test('decisions that throw at several stations cost one redo, and each but the first a look at its station alone', async () => {
  const ports = fakePorts()
  const service = recordingService({ bad: fail(new TypeError('a bug of ours')) })
  const from = (station: string, name: string) => call(name, { headers: { ...call(name).headers, station } })
  const loads: number[] = []
  const { load } = service
  service.load = (session, records, now) => {
    loads.push(records.length)
    return load(session, records, now)
  }
  const batch = batchOf(
    from('CP-1', 'bad'),
    from('CP-1', 'a'),
    from('CP-2', 'b'),
    from('CP-2', 'bad'),
    from('CP-3', 'c'),
  )

  const applied = await apply(batch, service, ports)

  expect(saved(ports)).toEqual([['a', 'b', 'c']])
  expect(applied.dead).toHaveLength(2)
  expect(loads).toEqual([5, 2, 3])
})

test('a decision that throws only because an earlier one left the state half changed is no dead letter', async () => {
  const ports = fakePorts()
  const service = recordingService({ bad: fail(new TypeError('a bug of ours')) })
  const { decide } = service
  service.decide = (record, state, context) => {
    if (state.seen.includes('bad')) throw new TypeError('half changed')
    return decide(record, state, context)
  }
  const from = (station: string, name: string) => call(name, { headers: { ...call(name).headers, station } })

  const applied = await apply(batchOf(from('CP-1', 'bad'), from('CP-2', 'a'), from('CP-3', 'b')), service, ports)

  expect(applied.dead.map(({ record }) => record.headers.station)).toEqual(['CP-1'])
  expect(saved(ports)).toEqual([['a', 'b']])
})

test('records of several stations that Postgres takes apart but not together: the later one is the culprit', async () => {
  const ports = fakePorts({
    onCommit: (statements) => {
      if (savesRecord('a')(statements) && savesRecord('c')(statements)) throw new DataError('23505', 'the same twice')
    },
  })
  const records = ['a', 'b', 'c', 'd'].map((name) => call(name, { headers: { ...call(name).headers, station: name } }))

  const applied = await apply(batchOf(...records), recordingService(), ports)

  expect(applied.dead.map(({ record }) => record.headers.station)).toEqual(['c'])
  expect(saved(ports)).toEqual([['a', 'b', 'd']])
})

test('a record our own code trips over while loading or saving is told apart from its neighbours', async () => {
  const ports = fakePorts()
  const service = recordingService()
  const save = service.save
  service.save = (state) => (state.seen.includes('bad') ? fail(new RangeError('bug'))() : save(state))

  await apply(batchOf(call('a'), call('bad'), call('b')), service, ports)

  expect(saved(ports)).toEqual([['a', 'b']])
  expect(deadLetters(ports)).toHaveLength(1)
})

test.each([
  ['Postgres away', new UnavailableError('connection refused')],
  ['another owner of the partition', new OffsetConflictError('not ours')],
  ['a missing table', Object.assign(new Error('relation does not exist'), { code: '42P01' })],
])('%s leaves everything as it was', async (_what, cause) => {
  const ports = fakePorts({ onCommit: fail(cause) })

  await expect(apply(batchOf(call('a')), recordingService(), ports)).rejects.toBe(cause)
  expect(ports.commits).toEqual([])
})

test('Postgres going away in the search for a culprit makes no dead letter', async () => {
  let commits = 0
  const ports = fakePorts({
    onCommit: () => {
      throw commits++ === 0 ? new DataError('22003', 'out of range') : new UnavailableError('gone')
    },
  })

  await expect(apply(batchOf(call('a'), call('b')), recordingService(), ports)).rejects.toThrow(UnavailableError)
})

test('a refusal that no record causes is not blamed on one', async () => {
  const cause = new DataError('23505', 'whatever the records')
  const ports = fakePorts({ onCommit: fail(cause) })

  await expect(apply(batchOf(call('a'), call('b')), recordingService(), ports)).rejects.toBe(cause)
})

test('a dead letter of a job takes the job along, or the sweep would bring it for ever', async () => {
  const ports = fakePorts()
  const service = { ...recordingService(), decide: fail(new Error('bug')) }
  const due = {
    ...call('x'),
    value: Buffer.from('{}'),
    headers: { type: 'due', station: 'CP-1', kind: 'expiry', key: 'k' },
  }

  await apply(batchOf(due), service, ports)

  expect(ports.commits.flat().map(({ text }) => text.slice(0, 15))).toEqual([
    'SAVE',
    'INSERT INTO dea',
    'DELETE FROM job',
    'ADVANCE',
  ])
})

test('events are CloudEvents whose id a redo does not change', async () => {
  const event = { type: 'station.booted' as const, subject: 'station', data: { vendor: 'ACME' } }
  const service = recordingService({ boot: () => ({ events: [event, event] }) })
  const first = fakePorts()
  const second = fakePorts()

  await apply(batchOf(call('a'), call('boot')), service, first)
  await apply(batchOf(call('a'), call('boot')), service, second)

  expect(second.outboxRows).toEqual(first.outboxRows)
  const [row, other] = first.outboxRows
  expect(row).toMatchObject({ source: 'stations:0', topic: 'busbar.events', key: 'CP-1' })
  const cloudEvent = JSON.parse(String(row?.value))
  expect(cloudEvent).toEqual({
    specversion: '1.0',
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/),
    source: '/busbar/stations/CP-1',
    type: 'busbar.station.booted.v1',
    subject: 'station',
    time: '2026-03-01T10:00:00.000Z',
    datacontenttype: 'application/json',
    data: { vendor: 'ACME' },
  })
  expect(JSON.parse(String(other?.value)).id).not.toBe(cloudEvent.id)
})

test('a reaction waits for the answer to the call that caused it', async () => {
  const ports = fakePorts()
  const command = {
    reaction: 'stop-refused' as const,
    action: 'RequestStopTransaction',
    payload: { transactionId: 't' },
    reason: 'refused',
    afterSequence: { connectionId: 'connection-1', sequence: 1 },
  }
  const service = recordingService({ start: () => ({ commands: [command] }) })

  await apply(batchOf(call('start')), service, ports)

  expect(ports.outboxRows[0]).toMatchObject({ topic: 'busbar.commands', key: 'CP-1' })
  expect(JSON.parse(String(ports.outboxRows[0]?.value))).toMatchObject({
    stationId: 'CP-1',
    action: 'RequestStopTransaction',
    requestedBy: 'stations',
    afterSequence: { connectionId: 'connection-1', sequence: 1 },
  })
})
