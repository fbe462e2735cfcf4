import type { LogBatch, LogRecord } from '@busbar/backbone'
import type { Database } from '@busbar/store'
import { applyBatch } from '../pipeline/apply-batch.js'
import type { CommandNews } from '../pipeline/command-news.js'
import { serviceMetrics } from '../pipeline/metrics.js'
import { decidePart } from '../pipeline/parts.js'
import type { DecisionContext, InboundRecord } from '../pipeline/service.js'
import { fakePorts, inboundRecord, logRecord } from '../pipeline/testing.js'
import { createStationsService, type StationsDeps, stationsPart } from './service.js'
import { type StationPolicy, type StationsRows, StationsState } from './state.js'

/** For tests of the service that are not about certificates. */
export const stationsDeps: StationsDeps = {
  certificates: {
    operatorName: 'Operator',
    issuer: {
      isReady: async () => false,
      issue: () => Promise.reject(new Error('nobody signs here')),
    },
  },
}

export function stationPolicy(overrides: Partial<StationPolicy> = {}): StationPolicy {
  return {
    id: 'CP-1',
    registrationPolicy: 'accept',
    pendingIntervalSeconds: 60,
    heartbeatIntervalSeconds: 300,
    acceptWithoutBoot: false,
    switches: {},
    profileSetAt: null,
    ...overrides,
  }
}

/** What a batch loaded; one registered station unless told otherwise. */
export function stationsState(rows: Partial<StationsRows> = {}): StationsState {
  return new StationsState({ policies: [stationPolicy()], ...rows })
}

export function decideRecord(record: InboundRecord, state: StationsState, context: DecisionContext) {
  return decidePart(stationsPart, record, state, context)
}

/** connected, disconnected, presence or answered, as a gateway logs it. */
export function connectionRecord(type: string, epoch: number, overrides: Partial<InboundRecord> = {}): InboundRecord {
  return inboundRecord({
    type,
    epoch,
    connectionId: `connection-${epoch}`,
    answer: '',
    headers: { gateway: 'gateway-1' },
    ...overrides,
  })
}

let offset = 0n

/** Applies records as one batch to the real database; nothing else is real. */
export async function applyRecords(
  database: Database,
  records: readonly LogRecord[],
  service = createStationsService(stationsDeps),
) {
  const ports = { ...fakePorts(), database }
  const sender = { service: 'stations', logId: 'test-log', topics: ports.backbone.topics }
  ports.backbone.outbox.insert = () => []
  const numbered = records.map((record) => ({ ...record, offset: offset++ }))
  const batch: LogBatch = { records: numbered, advance: { text: 'SELECT 1', values: [] } }
  return applyBatch(batch, service, { ports, sender, metrics: serviceMetrics(ports.metrics, service.name) })
}

/** What the commands service tells of a CALL to CP-1. */
export function newsRecord(news: Partial<CommandNews> & { action: string }, protocol = 'ocpp1.6'): LogRecord {
  const value: CommandNews = {
    commandId: '00000000-0000-7000-8000-00000000000c',
    callIndex: 0,
    callCount: 1,
    stage: 'accepted',
    sent: {},
    response: {},
    requestedBy: 'key-1',
    ...news,
  }
  const headers = { station: 'CP-1', type: 'command-news', action: news.action, protocol }
  return logRecord({ value: Buffer.from(JSON.stringify(value)), headers })
}
