import type { CommandMessage, Dispatched, LogBatch, LogRecord, OutboxRow, OutgoingRecord } from '@busbar/backbone'
import type { Protocol } from '@busbar/ocpp'
import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { applyBatch } from '../pipeline/apply-batch.js'
import { serviceMetrics } from '../pipeline/metrics.js'
import type { Decision } from '../pipeline/service.js'
import { fakePorts, logRecord } from '../pipeline/testing.js'
import { createCommandIntake, type IntakeRequest } from './intake.js'
import { createCommandsService } from './service.js'
import { now, vault } from './testing.js'

const connected: Dispatched = { receivers: 1, epoch: 7, gatewayId: 'gateway-1' }

/** The answer that most stations give. */
export const accepted = { outcome: 'result', payload: { status: 'Accepted' } }

/**
 * The commands service on a database of the test file's own; log, channels and clock are the test's. Each test begins with
 * empty tables.
 * @param protocol of station CP-1; without one it has never been there
 */
export function commandsWorld(protocol?: Protocol) {
  let store: TestDatabase
  let clock: () => Date
  const ports = {
    ...fakePorts(),
    vault,
    clock: () => clock(),
    get database() {
      return store.database
    },
  }
  const service = createCommandsService(ports)
  const { topics } = ports.backbone
  let offset = 0n

  const begin = () => ({
    /** What station channels took, or would not take. */
    dispatched: [] as Omit<CommandMessage, 'epoch'>[],
    /** What Redis knows as handed out. */
    handedOut: new Set<string>(),
    dispatch: (): Dispatched | 'repeated' | 'unsure' => connected,
    /** When the log holds what a commit left for it. */
    flush: async (): Promise<void> => {},
    /** Records that left with a commit. */
    sent: [] as OutboxRow[],
    decisions: [] as Decision[],
  })

  const world = {
    ...begin(),
    get database() {
      return store.database
    },
    query: (text: string) => store.database.query<Record<string, unknown>>({ text, values: [] }),
    get now() {
      return clock()
    },
    set now(date: Date) {
      clock = () => date
    },
    /** For a clock that moves on while something happens. */
    setClock(read: () => Date) {
      clock = read
    },
    topics,
    intake: createCommandIntake({ vault, backbone: ports.backbone, clock: ports.clock }),
    /** Commits records as one batch; `crash`: the worker dies right after the commit. */
    async apply(records: readonly LogRecord[], end: 'done' | 'crash' = 'done') {
      const numbered = records.map((record) => ({ ...record, offset: offset++ }))
      const batch: LogBatch = { records: numbered, advance: { text: 'SELECT 1', values: [] } }
      const sender = { service: 'commands', logId: 'test-log', topics }
      const applied = await applyBatch(batch, service, {
        ports,
        sender,
        metrics: serviceMetrics(ports.metrics, service.name),
      })
      world.decisions.push(...applied.decided.map(({ decision }) => decision))
      if (applied.dead.length > 0) throw applied.dead[0]?.cause
      if (end === 'done') await service.after?.(applied, ports)
    },
    /** The records the service itself put onto the log since. */
    takeAppended: (): LogRecord[] => ports.appended.splice(0).map(toLogRecord),
    /** What left for the topic of the requests since. */
    takeRequested(): LogRecord[] {
      const requested = world.sent.filter(({ topic }) => topic === topics.commands)
      world.sent = world.sent.filter((row) => !requested.includes(row))
      return requested.map(toLogRecord)
    },
    /** What the API does with a request. */
    async send(request: Partial<IntakeRequest> = {}): Promise<{ id: string; isNew: boolean; records: LogRecord[] }> {
      const prepared = world.intake.prepare({
        stationId: 'CP-1',
        protocol: 'ocpp2.0.1',
        action: 'Reset',
        payload: { type: 'Immediate' },
        idempotencyKey: `key-${offset++}`,
        requestedBy: 'api-key-1',
        actor: 'operator',
        ...request,
      })
      if (prepared.kind === 'invalid') throw new Error(JSON.stringify(prepared.problems))
      const [inserted] = await store.database.commit([world.intake.record([prepared])])
      const rows = await store.database.query<OutgoingRecord>({
        text: "DELETE FROM outbox WHERE source = 'api' RETURNING topic, key, value, headers",
        values: [],
      })
      return { id: prepared.id, isNew: inserted?.length === 1, records: rows.map(toLogRecord) }
    },
    request: (value: object, key = 'CP-1') =>
      toLogRecord({ topic: topics.commands, key, value: JSON.stringify(value), headers: {} }),
    outcome: (commandId: string, value: object, callIndex = 0) =>
      lane('outcome', { commandId, callIndex, at: world.now.toISOString(), late: false, ...value }, { epoch: '7' }),
    due: (kind: string, key: string) => lane('due', { kind, key }, { kind, key }),
    followUp: (requestId: number) => lane('follow-up', { type: 'report', requestId, complete: true }),
    transfer: (id: string, followUp: string) => lane('follow-up', { type: 'transfer', commandId: id, followUp }),
    superseded: () => lane('superseded', {}, { epoch: '8' }),
    passwordUsed: () => lane('password-used', {}),
    gatewayLost: (epoch: number) => lane('gateway-lost', { connectionId: 'c-1' }, { epoch: String(epoch) }),
    async command(id: string): Promise<Record<string, unknown>> {
      const [row] = await store.database.query<Record<string, unknown>>({
        text: 'SELECT * FROM command WHERE id = $1',
        values: [id],
      })
      if (!row) throw new Error(`no command ${id}`)
      return row
    },
    jobs: () => world.query('SELECT kind, key, due_at FROM job'),
    /** What the topic of results was told, in order. */
    results: (): { commandId: string | null; status: string; followUp: string; error: unknown }[] =>
      world.sent.filter((row) => row.topic === topics.commandResults).map((row) => JSON.parse(String(row.value))),
  }
  const lane = (type: string, value: object, headers: Record<string, string> = {}) =>
    toLogRecord({
      topic: topics.outcomes,
      key: 'CP-1',
      value: JSON.stringify(value),
      headers: { type, station: 'CP-1', receivedAt: world.now.toISOString(), ...headers },
    })

  const toLogRecord = ({ topic, key, value, headers }: OutgoingRecord): LogRecord =>
    logRecord({ topic, key, value: Buffer.from(value), headers, appendedAt: world.now })

  ports.backbone.outbox.insert = (rows) => {
    world.sent.push(...rows)
    return []
  }
  ports.backbone.outbox.flush = () => world.flush()
  ports.backbone.ownership = {
    dispatch: async (_stationId: string, command: Omit<CommandMessage, 'epoch'>) => {
      const call = `${command.commandId}/${command.callIndex}`
      if (world.handedOut.has(call)) return 'repeated'
      if (clock() >= new Date(command.expiresAt)) return 'expired'
      const taken = world.dispatch()
      if (typeof taken === 'object' && taken.receivers > 0) {
        world.handedOut.add(call)
        world.dispatched.push(command)
      }
      return taken
    },
  } as typeof ports.backbone.ownership

  beforeAll(async () => {
    store = await createTestDatabase()
  })
  afterAll(() => store.drop())
  beforeEach(async () => {
    await world.query(`TRUNCATE command, audit_entry, outbox, job, station_counter, station_secret, station_state, station,
      variable CASCADE`)
    if (protocol) await world.query(`INSERT INTO station_state (station_id, protocol) VALUES ('CP-1', '${protocol}')`)
    Object.assign(world, begin())
    world.takeAppended()
    world.now = now
  })
  return world
}
