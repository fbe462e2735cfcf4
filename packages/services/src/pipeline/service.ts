import type {
  Backbone,
  CallAnswer,
  CommandMessage,
  Headers,
  Job,
  LogRecord,
  OutgoingRecord,
  Topics,
  Verdict,
} from '@busbar/backbone'
import type { Payload, Protocol, ServiceName } from '@busbar/ocpp'
import type { Database, Session, Sql, Vault } from '@busbar/store'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { EventType } from '../contracts/events.js'
import type { Reaction } from './reactions.js'
import type { ToleranceKind } from './tolerances.js'

/** What a service stands on. */
export interface Ports {
  database: Database
  backbone: Backbone
  vault: Vault
  log: Logger
  metrics: Registry
  /** Default: the system clock. */
  clock?: () => Date
}

/**
 * One record of a lane, read. Strings in `payload` and `headers` are safe to store: NUL characters and lone surrogates,
 * which Postgres refuses in text and jsonb, are U+FFFD (`storable.ts`); the raw bytes stay in `record.value`.
 */
export interface InboundRecord {
  record: LogRecord
  /** Header `type`: call, connected, disconnected, presence, answered, due, outcome, follow-up, gateway-lost, password-used, superseded, command-news, event, ... */
  type: string
  /** Header `station`, or the record's key where a record has none (`busbar.commands`, `due`). */
  stationId: string
  /** '' where a record belongs to no connection. */
  connectionId: string
  /** Microseconds since 1970, well below 2^53; 0 where a record belongs to no connection. */
  epoch: number
  /** Number of the frame on its connection; -1 where a record has none. */
  sequence: number
  /** ocpp1.6 where a record names none; only calls depend on it. */
  protocol: Protocol
  /** When the gateway received the frame; `appendedAt` for records that do not come from a gateway. */
  receivedAt: Date
  /** '' for anything but calls and sent frames. */
  action: string
  messageId: string
  /** What the gateway waits for: '' for anything but calls. */
  answer: 'log' | 'decision' | ''
  /** The payload of a call's frame; the JSON value of any other record ({} when that is no object). */
  payload: Payload
  headers: Headers
}

/** All that a decision may know besides request and state. */
export interface DecisionContext {
  /** The same instant for a whole batch. */
  now: Date
  /** A fresh UUIDv7. */
  newId(): string
  station: { id: string; protocol: Protocol }
  record: InboundRecord
  /** For `Decision.records`. */
  topics: Topics
}

/**
 * What a record leads to. Everything here leaves only after the commit, and with the same ids when a batch is redone.
 */
export interface Decision {
  /** Sent only when the gateway waits for it (`record.answer` is 'decision'). */
  answer?: CallAnswer
  /** CloudEvents on `busbar.events`. */
  events?: EventDraft[]
  /** Reactions, to `busbar.commands`. */
  commands?: CommandDraft[]
  /** Rows of table job. A service removes the row of a `due` record itself, or puts it again with a later time. */
  jobs?: { put: Job[]; remove: Job[] }
  /** Handed to `service.after` once committed (commands service). */
  dispatches?: Dispatch[]
  /** Told on the channel of the verdicts once committed. */
  verdicts?: Verdict[]
  /** Deviations of the station that were tolerated; counted once committed. */
  quirks?: readonly ToleranceKind[]
  /** Any other record, through the outbox: order per partition, at least once. `topic` is a full name. */
  records?: OutgoingRecord[]
}

/** Synchronous; no clock, no randomness, no database. Changes the state and says what leaves. */
export type Decide<Request, Response extends object, State> = (
  request: Request,
  state: State,
  context: DecisionContext,
) => Decision & { answer?: { result: Response } | { error: { code: string; message: string } } }

/** The decision to answer with a CALLRESULT. */
export function answer<const Response extends object>(
  result: Response,
  rest: Omit<Decision, 'answer'> = {},
): Decision & { answer: { result: Response } } {
  return { answer: { result }, ...rest }
}

/** Becomes `busbar.<type>.v1`; id and time are set by the pipeline. */
export interface EventDraft {
  /** Default: `/busbar/stations/<station id>`. */
  source?: string
  type: EventType
  /** What the event is about within the station: a transaction's id, 'evse/1/connector/2', ... */
  subject: string
  /** JSON; secrets already redacted. */
  data: object
  /** When it happened; default: when the record was received. */
  time?: Date
}

/** A call of a station, on its connection. */
export type AfterSequence = NonNullable<CommandMessage['afterSequence']>

/**
 * A CALL nobody asked for; only from the reactions table.
 * Written to `busbar.commands` as {stationId, action, payload, idempotencyKey, requestedBy: service name, reason,
 * afterSequence?: {connectionId, sequence}}; the idempotency key is made of the record's place in the log.
 */
export interface CommandDraft {
  reaction: Reaction
  action: string
  payload: object
  /** Why, for the operator: 'token refused after a safe answer'. */
  reason: string
  /** The station's call that caused it: not sent before that one is answered (OCPP-J). Null: no call of its did. */
  afterSequence: AfterSequence | null
}

/** One CALL for the station's gateway; given to `service.after`, which hands it to `ownership.dispatch` once. */
export interface Dispatch {
  stationId: string
  command: Omit<CommandMessage, 'epoch'>
}

/** What one commit made true. */
export interface CommittedBatch {
  /** In log order per partition; without the records that became dead letters. */
  decided: readonly { record: InboundRecord; decision: Decision }[]
  /** All dispatches of the batch, in order. */
  dispatches: readonly Dispatch[]
}

/**
 * A consumer of lanes: load, decide, save. See README.md for the order of things and what happens on failure.
 */
export interface Service<State> {
  /** Also the consumer group. */
  name: ServiceName
  topics(names: Topics): string[]
  /** 'headers': frames are not parsed and `payload` stays {} (journal). Default 'payload'. */
  reads?: 'payload' | 'headers'
  /** Those among the topics whose records nobody waits for; the log lets them gather. */
  gathered?(names: Topics): string[]
  /** One query per table. Called again for a redo: returns a new state each time. `now` is that of the decisions. */
  load(session: Session, records: readonly InboundRecord[], now: Date): Promise<State>
  /**
   * May throw OcppError: answered as CALLERROR; what it changed in the state before the throw is saved (evidence).
   * Anything else thrown: the batch's state is discarded and the batch redone without this record.
   */
  decide(record: InboundRecord, state: State, context: DecisionContext): Decision
  /** Set-based, one statement per table. Called once per attempt. */
  save(state: State): Sql[]
  /**
   * After the commit. A throw is logged and counted and changes nothing: what must survive a failure here
   * belongs into a job.
   */
  after?(batch: CommittedBatch, ports: Ports): Promise<void>
}
