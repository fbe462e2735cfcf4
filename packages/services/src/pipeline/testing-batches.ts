import type { LogRecord } from '@busbar/backbone'
import type { Database } from '@busbar/store'
import { type AppliedBatch, applyBatch } from './apply-batch.js'
import { serviceMetrics } from './metrics.js'
import { composeParts, decidePart, type OpenParts, type Part, toPart } from './parts.js'
import type { Decision, InboundRecord, Service } from './service.js'
import { decisionContext, type FakePorts, fakePorts, logRecord } from './testing.js'

/** One turn of the pipeline on a real database, as a part does it: what it reads, decides and commits. */
export async function playBatch<State>(
  part: Part<State>,
  database: Database,
  records: readonly InboundRecord[],
): Promise<Decision[]> {
  const state = await part.load(database, records, new Date())
  const decisions = records.map((each) => decidePart(part, each, state, decisionContext(each)))
  await database.commit(part.save(state))
  return decisions
}

let nextOffset = 0n

/**
 * The whole pipeline on a real database: records of the log as one batch of a service. What leaves goes to the fakes.
 * @throws the cause, when a record became a dead letter
 */
export async function applyRecords<State>(
  service: Service<State>,
  records: readonly LogRecord[],
  given: { database: Database } & Partial<FakePorts>,
): Promise<AppliedBatch> {
  const ports = { ...fakePorts(), ...given }
  // Its rows are none of Postgres'.
  if (!given.backbone) ports.backbone.outbox.insert = () => []
  const sender = { service: service.name, logId: 'test-log', topics: ports.backbone.topics }
  const numbered = records.map((record) => ({ ...record, offset: nextOffset++ }))
  const batch = { records: numbered, advance: { text: 'SELECT 1', values: [] } }
  const applied = await applyBatch(batch, service, {
    ports,
    sender,
    metrics: serviceMetrics(ports.metrics, service.name),
  })
  for (const { cause } of applied.dead) throw cause
  return applied
}

/** A part of the stations service, alone. */
export function serviceOf<State>(part: Part<State>): Service<OpenParts> {
  return { name: 'stations', topics: () => [], ...composeParts([toPart(part)]) }
}

/** As it lies in the log, whoever wrote it: no call, whose frame is not known any more. */
export function toLogRecord({ type, stationId, action, protocol, receivedAt, payload }: InboundRecord): LogRecord {
  const headers = { type, station: stationId, action, protocol, receivedAt: receivedAt.toISOString() }
  return logRecord({ key: stationId, value: Buffer.from(JSON.stringify(payload)), headers })
}
