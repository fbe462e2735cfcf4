import { hash } from 'node:crypto'
import type { Job, LogRecord, OutboxRow, Topics } from '@busbar/backbone'
import type { AfterSequence, CommandDraft, Decision, EventDraft, InboundRecord } from './service.js'

/** Who writes, and onto what: the same for every record of a service. */
export interface Sender {
  /** Name of the service. */
  service: string
  /** `EventLog.id`: two logs count their offsets on their own. */
  logId: string
  topics: Topics
}

/** Tells an event from what our own side writes: it has no other header. */
export const cloudEventsType = 'application/cloudevents+json'

/** Rows of one partition are sent in order, by whoever owns the partition. */
export function outboxSource(service: string, partition: number): string {
  return `${service}:${partition}`
}

/** What one decision sends to the log: events, then reactions, then other records, each in its order. */
export function toOutboxRows(record: InboundRecord, decision: Decision, sender: Sender): OutboxRow[] {
  const source = outboxSource(sender.service, record.record.partition)
  return [
    ...(decision.events ?? []).map((draft, index) => ({
      source,
      topic: sender.topics.events,
      key: record.stationId,
      value: JSON.stringify(toCloudEvent(draft, record, placeId(sender, record.record, `event/${index}`))),
      headers: { 'content-type': cloudEventsType },
    })),
    ...(decision.commands ?? []).map((draft, index) => ({
      source,
      topic: sender.topics.commands,
      key: record.stationId,
      value: JSON.stringify(
        toCommandRequest(draft, record, sender, placeId(sender, record.record, `command/${index}`)),
      ),
      headers: {},
    })),
    ...(decision.records ?? []).map((outgoing) => ({ source, ...outgoing })),
  ]
}

/** CloudEvents 1.0, structured mode (https://github.com/cloudevents/spec). */
function toCloudEvent(draft: EventDraft, record: InboundRecord, id: string): object {
  return {
    specversion: '1.0',
    id,
    source: draft.source ?? `/busbar/stations/${encodeURIComponent(record.stationId)}`,
    type: `busbar.${draft.type}.v1`,
    subject: draft.subject,
    time: (draft.time ?? record.receivedAt).toISOString(),
    datacontenttype: 'application/json',
    data: draft.data,
  }
}

function toCommandRequest(draft: CommandDraft, record: InboundRecord, sender: Sender, idempotencyKey: string): object {
  return {
    stationId: record.stationId,
    action: draft.action,
    payload: draft.payload,
    idempotencyKey,
    requestedBy: sender.service,
    reason: draft.reason,
    ...(draft.afterSequence && { afterSequence: placeOf(draft.afterSequence) }),
  }
}

/** A record is one too. */
export const placeOf = ({ connectionId, sequence }: AfterSequence): AfterSequence => ({ connectionId, sequence })

/** An id made of a record's place in the log, so that a redo sends the same id again and receivers can drop it. */
function placeId(sender: Sender, { topic, partition, offset }: LogRecord, part: string): string {
  return nameId(sender.logId, sender.service, topic, partition, offset, part)
}

/** @returns a UUID of version 8, the same for the same names */
export function nameId(...names: readonly (string | number | bigint)[]): string {
  const hex = hash('sha256', names.join('/'), 'hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** The last word on each job of a batch: a job put by one record and removed by a later one is removed. */
export function foldJobs(decisions: readonly Decision[]): { put: Job[]; remove: Job[] } {
  const last = new Map<string, { job: Job; put: boolean }>()
  for (const { jobs } of decisions) {
    for (const job of jobs?.remove ?? []) last.set(jobKey(job), { job, put: false })
    for (const job of jobs?.put ?? []) last.set(jobKey(job), { job, put: true })
  }
  const all = [...last.values()]
  return {
    put: all.filter((each) => each.put).map((each) => each.job),
    remove: all.filter((each) => !each.put).map((each) => each.job),
  }
}

function jobKey(job: Job): string {
  return `${job.service}\n${job.kind}\n${job.key}`
}
