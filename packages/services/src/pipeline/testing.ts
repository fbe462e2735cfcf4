import {
  type Backbone,
  type ChannelMessage,
  type ConsumeOptions,
  type Headers,
  type Job,
  type LogRecord,
  type OutboxRow,
  type OutgoingRecord,
  topicNames,
} from '@busbar/backbone'
import type { Payload } from '@busbar/ocpp'
import { type Database, type Session, type Sql, Vault } from '@busbar/store'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { DecisionContext, InboundRecord, Ports } from './service.js'

const receivedAt = new Date('2026-03-01T10:00:00.000Z')
const topics = topicNames('busbar')

/** A record of a lane with everything a test does not care about filled in. */
export function inboundRecord(overrides: Partial<InboundRecord> = {}): InboundRecord {
  const record: InboundRecord = {
    record: logRecord(),
    type: 'call',
    stationId: 'CP-1',
    connectionId: 'connection-1',
    epoch: 1_000,
    sequence: 1,
    protocol: 'ocpp2.0.1',
    receivedAt,
    action: '',
    messageId: 'message-1',
    answer: 'decision',
    payload: {},
    headers: {},
    ...overrides,
  }
  return record
}

export const now = receivedAt
export const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1_000)

export interface Place {
  station?: string
  /** Seconds after `now`. */
  at?: number
}

/** A record about a station of 1.6 that waits for no answer. */
export function placedRecord(overrides: Partial<InboundRecord>, { station = 'CP-1', at = 0 }: Place): InboundRecord {
  const place = { stationId: station, receivedAt: later(at), protocol: 'ocpp1.6' as const, answer: '' as const }
  return inboundRecord({ ...place, record: logRecord({ key: station, appendedAt: later(at) }), ...overrides })
}

/** A call as the gateway logged it. */
export function inboundCall(
  action: string,
  payload: Payload | object,
  overrides: Partial<InboundRecord> = {},
): InboundRecord {
  return inboundRecord({ action, payload: payload as Payload, ...overrides })
}

export function logRecord(overrides: Partial<LogRecord> = {}): LogRecord {
  return {
    topic: 'busbar.ocpp.stations',
    partition: 0,
    offset: 0n,
    key: 'CP-1',
    value: Buffer.from('{}'),
    headers: {},
    appendedAt: receivedAt,
    ...overrides,
  }
}

/** A record as it lies in the log: the frame of a call and the gateway's headers. */
export function loggedCall(
  action: string,
  payload: object,
  overrides: Partial<LogRecord> & { extraHeaders?: Headers } = {},
): LogRecord {
  const { extraHeaders, ...rest } = overrides
  const headers: Headers = {
    type: 'call',
    station: 'CP-1',
    connection: 'connection-1',
    epoch: '1000',
    sequence: '1',
    receivedAt: receivedAt.toISOString(),
    protocol: 'ocpp2.0.1',
    gateway: 'gateway-1',
    action,
    messageId: 'message-1',
    answer: 'decision',
    ...extraHeaders,
  }
  return logRecord({ value: Buffer.from(JSON.stringify([2, headers.messageId, action, payload])), headers, ...rest })
}

/** `now` is the record's receivedAt unless told; ids count up: 00000000-0000-7000-8000-000000000001, ... */
export function decisionContext(
  record: InboundRecord = inboundRecord(),
  overrides: Partial<DecisionContext> = {},
): DecisionContext {
  let ids = 0
  return {
    now: record.receivedAt,
    newId: () => `00000000-0000-7000-8000-${String(++ids).padStart(12, '0')}`,
    station: { id: record.stationId, protocol: record.protocol },
    record,
    topics,
    ...overrides,
  }
}

/** A database and a backbone that note down what they are asked, in the order of `calls`. */
export interface FakePorts extends Ports {
  calls: string[]
  /** The statements of each commit that went through. */
  commits: (readonly Sql[])[]
  published: { channel: string; message: ChannelMessage }[]
  appended: OutgoingRecord[]
  flushed: string[][]
  scheduled: Job[]
  outboxRows: OutboxRow[]
  consumed: ConsumeOptions | null
}

/**
 * @param options.onCommit throws what the database should say to these statements
 * @param options.onPublish throws what the station channels should say
 */
export function fakePorts(
  options: { onCommit?: (statements: readonly Sql[]) => void; onPublish?: () => void } = {},
): FakePorts {
  const fake: FakePorts = {
    calls: [],
    commits: [],
    published: [],
    appended: [],
    flushed: [],
    scheduled: [],
    outboxRows: [],
    consumed: null,
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    vault: new Vault('a master secret for tests only'),
    clock: () => receivedAt,
    database: {
      pipelined: async (run: (session: Session) => Promise<unknown>) => run({ query: async () => [] }),
      commit: async (statements: readonly Sql[]) => {
        options.onCommit?.(statements)
        if (statements.some((statement) => statement.text.includes('trial ended'))) throw trialEnded()
        fake.calls.push('commit')
        fake.commits.push(statements)
        return statements.map(() => [])
      },
    } as unknown as Database,
    backbone: {
      topics,
      log: {
        id: 'test-log',
        append: async (record: OutgoingRecord) => void fake.appended.push(record),
        consume: async (consume: ConsumeOptions) => {
          fake.consumed = consume
          return { stop: async () => void fake.calls.push('stop') }
        },
      },
      channels: {
        publish: async (messages: FakePorts['published']) => {
          fake.calls.push('publish')
          options.onPublish?.()
          fake.published.push(...messages)
          return messages.map(() => 1)
        },
      },
      outbox: {
        insert: (rows: readonly OutboxRow[]) => {
          fake.outboxRows = [...rows]
          return rows.length === 0 ? [] : [{ text: 'INSERT INTO outbox', values: [...rows] }]
        },
        flush: (sources: readonly string[]) => {
          fake.calls.push('flush')
          fake.flushed.push([...sources])
        },
      },
      jobs: {
        schedule: async (jobs: readonly Job[]) => {
          fake.calls.push('schedule')
          fake.scheduled.push(...jobs)
        },
      },
    } as unknown as Backbone,
  }
  return fake
}

function trialEnded(): Error {
  return Object.assign(new Error('trial ended'), { code: 'BB002' })
}
