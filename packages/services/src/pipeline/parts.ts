import { OcppError, type Payload, toDialect } from '@busbar/ocpp'
import type { Session, Sql } from '@busbar/store'
import type { Actions } from './actions.js'
import { type CommandNews, commandNewsType, readNews } from './command-news.js'
import type { CommittedBatch, Decision, DecisionContext, InboundRecord, Ports, Service } from './service.js'

type Handler<Subject, State> = (subject: Subject, state: State, context: DecisionContext) => Decision

/** A CloudEvent off `busbar.events`, as another service wrote it. */
export interface ReceivedEvent {
  id: string
  /** `busbar.transaction.started.v1` */
  type: string
  subject: string
  time: string
  data: Payload
}

/**
 * A room of a service with tables of its own: four tables of what it decides, one way to load and one to save. Parts of one
 * service may take the same record; at most one of them answers.
 */
export interface Part<State> {
  /** Calls of stations. */
  actions?: Actions<State>
  /** What became of calls of ours, by action; the actions table of `ocpp` names this service among the bookkeepers. */
  news?: Readonly<Record<string, Handler<CommandNews, State>>>
  /** Jobs that fell due, by kind; the subject is the job's key. The handler removes the row or moves it. */
  jobs?: Readonly<Record<string, Handler<string, State>>>
  /** By type, where the service consumes the topic of events. */
  events?: Readonly<Record<string, Handler<ReceivedEvent, State>>>
  /** Records of any other type; by `event` those that `events` does not name. */
  records?: Readonly<Record<string, Handler<InboundRecord, State>>>
  /** Of the records it takes, which are one at least. One query per table. */
  load(session: Session, records: readonly InboundRecord[], now: Date): Promise<State>
  save(state: State): Sql[]
  /** As `Service.after`, with what all parts decided. */
  after?(batch: CommittedBatch, ports: Ports): Promise<void>
}

/** What a part decides about one record. */
type Decider<State> = (state: State, context: DecisionContext) => Decision

function findDecider<State>(part: Part<State>, record: InboundRecord): Decider<State> | null {
  const { type, payload } = record
  switch (type) {
    case 'call':
      return bind(part.actions?.[toDialect(record.protocol)], record.action, payload as never)
    case commandNewsType:
      return bind(part.news, record.action, readNews(record))
    case 'due':
      return bind(part.jobs, String(payload.kind), String(payload.key))
    case 'event':
      return (
        bind(part.events, String(payload.type), payload as unknown as ReceivedEvent) ?? bind(part.records, type, record)
      )
    default:
      return bind(part.records, type, record)
  }
}

function bind<Subject, State>(
  table: Readonly<Record<string, Handler<Subject, State>>> | undefined,
  name: string,
  subject: Subject,
): Decider<State> | null {
  const handle = table && Object.hasOwn(table, name) ? table[name] : undefined
  return handle ? (state, context) => handle(subject, state, context) : null
}

/** Nothing for a record that is none of its business. */
export function decidePart<State>(
  part: Part<State>,
  record: InboundRecord,
  state: State,
  context: DecisionContext,
): Decision {
  return findDecider(part, record)?.(state, context) ?? {}
}

/** A part whose state is its own business. */
export interface AnyPart {
  takes(record: InboundRecord): boolean
  open(session: Session, records: readonly InboundRecord[], now: Date): Promise<OpenPart>
  after(batch: CommittedBatch, ports: Ports): Promise<void>
}

interface OpenPart {
  decide(record: InboundRecord, context: DecisionContext): Decision
  save(): Sql[]
}

export function toPart<State>(part: Part<State>): AnyPart {
  return {
    takes: (record) => findDecider(part, record) !== null,
    open: async (session, records, now) => {
      const state = await part.load(session, records, now)
      return {
        decide: (record, context) => decidePart(part, record, state, context),
        save: () => part.save(state),
      }
    },
    after: async (batch, ports) => part.after?.(batch, ports),
  }
}

/** The parts that have something to do in a batch. */
export type OpenParts = ReadonlyMap<AnyPart, OpenPart>

/** A service made of parts. */
export function composeParts(
  parts: readonly AnyPart[],
): Required<Pick<Service<OpenParts>, 'load' | 'decide' | 'save' | 'after'>> {
  return {
    load: async (session, records, now) => {
      const opened = parts.map(async (part) => {
        const taken = records.filter((record) => part.takes(record))
        return taken.length === 0 ? [] : [[part, await part.open(session, taken, now)] as const]
      })
      return new Map((await Promise.all(opened)).flat())
    },
    decide: (record, open, context) => {
      const takers = parts.filter((part) => part.takes(record))
      if (takers.length === 0) return passOver(record)
      return mergeDecisions(takers.map((part) => open.get(part)?.decide(record, context) ?? {}))
    },
    save: (open) => [...open.values()].flatMap((part) => part.save()),
    after: async (batch, ports) => {
      await Promise.all(parts.map((part) => part.after(batch, ports)))
    },
  }
}

/**
 * What has no row anywhere: the journal holds it.
 * @throws OcppError NotImplemented (1.6) or NotSupported (2.0.1 and up), when the station waits
 */
export function passOver({ action, answer, protocol }: InboundRecord): Decision {
  if (answer !== 'decision') return {}
  // 1.6 knows no way to say "known, but not here"; 2.0.1 does (part 4 §4.3).
  throw new OcppError(protocol === 'ocpp1.6' ? 'NotImplemented' : 'NotSupported', `${action} is not served here`)
}

/** All that each of them wants to leave, in their order; the one answer among them. */
export function mergeDecisions(decisions: readonly Decision[]): Decision {
  if (decisions.length === 1 && decisions[0]) return decisions[0]
  const answer = decisions.find((decision) => decision.answer)?.answer
  return {
    events: decisions.flatMap(({ events = [] }) => events),
    commands: decisions.flatMap(({ commands = [] }) => commands),
    jobs: {
      put: decisions.flatMap(({ jobs }) => jobs?.put ?? []),
      remove: decisions.flatMap(({ jobs }) => jobs?.remove ?? []),
    },
    dispatches: decisions.flatMap(({ dispatches = [] }) => dispatches),
    verdicts: decisions.flatMap(({ verdicts = [] }) => verdicts),
    quirks: decisions.flatMap(({ quirks = [] }) => quirks),
    records: decisions.flatMap(({ records = [] }) => records),
    ...(answer && { answer }),
  }
}
