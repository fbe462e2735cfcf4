import { jobStatements, type LogBatch, type LogRecord } from '@busbar/backbone'
import { OcppError } from '@busbar/ocpp'
import { DataError, newId, OffsetConflictError, type Sql, UnavailableError } from '@busbar/store'
import { type Culprit, findCulprits, type Refusal } from './culprits.js'
import { deadLetterStatement } from './dead-letter.js'
import { parseRecord } from './inbound.js'
import type { ServiceMetrics } from './metrics.js'
import { foldJobs, type Sender, toOutboxRows } from './outgoing.js'
import type { CommittedBatch, Decision, InboundRecord, Ports, Service } from './service.js'

/** What is the same for every batch of a service. */
export interface Tools {
  ports: Ports
  sender: Sender
  metrics: ServiceMetrics
}

/** What one batch did. */
export interface AppliedBatch extends CommittedBatch {
  dead: readonly { record: LogRecord; cause: unknown }[]
}

/** Decisions threw, of any station the first. */
interface Poisoned {
  kind: 'poisoned'
  poisoned: Culprit[]
}

interface Decided {
  kind: 'decided'
  decided: { record: InboundRecord; decision: Decision }[]
  statements: Sql[]
}

/**
 * Loads, decides and commits one batch: effects, outgoing records, jobs, dead letters and offsets in one dbTransaction.
 * Nothing leaves before it; what has to leave is in the result.
 *
 * A record that cannot be read, that throws, or that Postgres refuses becomes a dead letter in the same commit; its
 * neighbours are decided as if it had never been there.
 *
 * @throws UnavailableError when Postgres is away, OffsetConflictError when another worker owns a partition; nothing is
 *   committed then and the batch comes again
 */
export async function applyBatch<State>(batch: LogBatch, service: Service<State>, tools: Tools): Promise<AppliedBatch> {
  const now = (tools.ports.clock ?? systemClock)()
  const dead = new Map<LogRecord, unknown>()
  let records = readAll(batch.records, service, dead)
  const tail = () => [
    ...[...dead].flatMap(([record, cause]) => buryStatements(record, cause, service, now)),
    batch.advance,
  ]

  for (;;) {
    try {
      const attempt = await decideAll(records, service, tools, now)
      if (attempt.kind === 'decided') {
        await commit([...attempt.statements, ...tail()], service, tools)
        countQuirks(attempt.decided, tools.metrics)
        return {
          decided: attempt.decided,
          dispatches: attempt.decided.flatMap(({ decision }) => decision.dispatches ?? []),
          dead: [...dead].map(([record, cause]) => ({ record, cause })),
        }
      }
      tools.metrics.redos.inc({ service: service.name, reason: 'decision' })
      for (const { record, cause } of await confirm(attempt.poisoned, records, service, tools, now)) {
        dead.set(record.record, cause)
      }
    } catch (cause) {
      if (!isFaultOfData(cause)) throw cause
      tools.metrics.redos.inc({ service: service.name, reason: 'data' })
      const culprits = await findCulprits(records, (some) => tryOut(some, service, tools, now))
      if (culprits.length === 0) throw cause
      for (const culprit of culprits) dead.set(culprit.record.record, culprit.cause)
    }
    records = records.filter(({ record }) => !dead.has(record))
  }
}

const systemClock = () => new Date()

function readAll<State>(
  records: readonly LogRecord[],
  service: Service<State>,
  dead: Map<LogRecord, unknown>,
): InboundRecord[] {
  return records.flatMap((record) => {
    try {
      return [parseRecord(record, service.reads)]
    } catch (cause) {
      dead.set(record, cause)
      return []
    }
  })
}

async function decideAll<State>(
  records: readonly InboundRecord[],
  service: Service<State>,
  tools: Tools,
  now: Date,
): Promise<Poisoned | Decided> {
  const stop = tools.metrics.decideSeconds.startTimer({ service: service.name })
  const state = await tools.ports.database.pipelined((session) => service.load(session, records, now))
  const decided: Decided['decided'] = []
  const poisoned = new Map<string, Culprit>()
  for (const record of records) {
    const { stationId: id, protocol } = record
    // What else this station said is decided once its state is whole again.
    if (poisoned.has(id)) continue
    const context = { now, newId, station: { id, protocol }, record, topics: tools.sender.topics }
    try {
      decided.push({ record, decision: service.decide(record, state, context) })
    } catch (cause) {
      if (cause instanceof OcppError) {
        decided.push({ record, decision: { answer: { error: { code: cause.code, message: cause.message } } } })
      } else poisoned.set(id, { record, cause })
    }
  }
  if (poisoned.size > 0) return { kind: 'poisoned', poisoned: [...poisoned.values()] }
  const jobs = foldJobs(decided.map((each) => each.decision))
  const rows = decided.flatMap(({ record, decision }) => toOutboxRows(record, decision, tools.sender))
  const statements = [
    ...service.save(state),
    ...jobStatements(jobs.put, jobs.remove),
    ...tools.ports.backbone.outbox.insert(rows),
  ]
  stop()
  return { kind: 'decided', decided, statements }
}

/**
 * The first that threw is at fault. Of those after it the state may be, which the first left half changed: at fault is what
 * throws in its station's own company as well.
 */
async function confirm<State>(
  poisoned: readonly Culprit[],
  records: readonly InboundRecord[],
  service: Service<State>,
  tools: Tools,
  now: Date,
): Promise<Culprit[]> {
  const sure = poisoned.slice(0, 1)
  for (const { record } of poisoned.slice(1)) {
    const company = records.slice(0, records.indexOf(record) + 1).filter((each) => each.stationId === record.stationId)
    const alone = await decideAll(company, service, tools, now)
    if (alone.kind === 'poisoned') sure.push(...alone.poisoned)
  }
  return sure
}

async function commit<State>(statements: readonly Sql[], service: Service<State>, tools: Tools): Promise<void> {
  const stop = tools.metrics.commitSeconds.startTimer({ service: service.name })
  await tools.ports.database.commit(statements)
  stop()
}

function countQuirks(decided: Decided['decided'], { quirks }: ServiceMetrics): void {
  for (const { decision } of decided) {
    for (const kind of decision.quirks ?? []) quirks.inc({ kind })
  }
}

/**
 * True when the records may be at fault: Postgres refused a value, or our code tripped over one outside of `decide`.
 * What is wrong with the database itself (a missing table, no space) is nobody's record.
 */
function isFaultOfData(cause: unknown): boolean {
  if (cause instanceof DataError) return true
  if (cause instanceof UnavailableError || cause instanceof OffsetConflictError) return false
  const code = sqlState(cause)
  // 21: one row named twice in a statement; 54: a value too long for an index.
  return code === null || code.startsWith('21') || code.startsWith('54')
}

function sqlState(cause: unknown): string | null {
  if (!(cause instanceof Error && 'code' in cause)) return null
  return typeof cause.code === 'string' && /^[0-9A-Z]{5}$/.test(cause.code) ? cause.code : null
}

/** SQLSTATE of our own: takes back a dbTransaction that was only a trial. */
const trialEnded = 'BB002'
const endTrial: Sql = {
  text: `DO $$ BEGIN RAISE EXCEPTION 'trial ended' USING ERRCODE = '${trialEnded}'; END $$`,
  values: [],
}

/** Decides and saves for real, and takes it back. @returns why these cannot be saved, null when they can */
async function tryOut<State>(
  records: readonly InboundRecord[],
  service: Service<State>,
  tools: Tools,
  now: Date,
): Promise<Refusal | null> {
  try {
    const attempt = await decideAll(records, service, tools, now)
    if (attempt.kind === 'poisoned') return { cause: attempt.poisoned[0]?.cause }
    await tools.ports.database.commit([...attempt.statements, endTrial])
  } catch (cause) {
    if (sqlState(cause) === trialEnded) return null
    if (isFaultOfData(cause)) return { cause }
    throw cause
  }
  throw new Error('a trial was committed')
}

function buryStatements<State>(record: LogRecord, cause: unknown, service: Service<State>, now: Date): Sql[] {
  const letter = deadLetterStatement(service.name, record, cause, now)
  if (record.headers.type !== 'due') return [letter]
  // Else the sweep would bring the same failure every second.
  return [letter, removeDueJob(record, service)]
}

function removeDueJob<State>(record: LogRecord, service: Service<State>): Sql {
  return {
    text: 'DELETE FROM job WHERE service = $1 AND kind = $2 AND key = $3',
    values: [service.name, record.headers.kind ?? '', record.headers.key ?? ''],
  }
}
