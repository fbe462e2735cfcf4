import { type ChannelMessage, type Headers, stationChannel, verdictsChannel } from '@busbar/backbone'
import { findAction } from '@busbar/ocpp'
import { type AppliedBatch, applyBatch, type Tools } from './apply-batch.js'
import { Leftovers } from './leftovers.js'
import { serviceMetrics } from './metrics.js'
import { outboxSource } from './outgoing.js'
import type { Decision, InboundRecord, Ports, Service } from './service.js'

/**
 * Consumes the lanes of a service until stopped.
 *
 * Topics `service.topics()`, key station id: the records of one station share a partition and are decided in the order
 * they came in. Effects happen once: they are committed together with the offset that follows them, so a worker that
 * lost the partition cannot commit. Answers, outbox and wakes follow the commit; what of them a crash loses is covered
 * by safe answers, by the outbox rows and by the sweep over table job.
 */
export async function runService<State>(service: Service<State>, ports: Ports): Promise<{ stop(): Promise<void> }> {
  const { backbone } = ports
  const log = ports.log.child({ service: service.name })
  const tools: Tools = {
    ports: { ...ports, log },
    sender: { service: service.name, logId: backbone.log.id, topics: backbone.topics },
    metrics: serviceMetrics(ports.metrics, service.name),
  }
  const leftovers = new Leftovers(service.name, backbone.outbox)
  return backbone.log.consume({
    service: service.name,
    topics: service.topics(backbone.topics),
    gathered: service.gathered?.(backbone.topics) ?? [],
    onBatch: async (batch) => {
      tools.metrics.batchRecords.observe({ service: service.name }, batch.records.length)
      await leftovers.watch(batch, async () => {
        await follow(await applyBatch(batch, service, tools), service, tools)
      })
    },
    onAssigned: (partitions) => leftovers.assigned(partitions),
    onRevoked: (partitions) => leftovers.revoked(partitions),
  })
}

/**
 * What follows a commit. Never throws: the offsets have moved, and a batch that failed here would not come again.
 */
async function follow<State>(batch: AppliedBatch, service: Service<State>, tools: Tools): Promise<void> {
  const { ports, metrics } = tools
  const { backbone } = ports
  for (const { record, cause } of batch.dead) {
    const { topic, partition, offset, headers } = record
    ports.log.error(
      {
        err: cause,
        topic,
        partition,
        offset: offset.toString(),
        stationId: headers.station,
        messageId: headers.messageId,
      },
      'record became a dead letter',
    )
    metrics.decisions.inc({ service: service.name, action: actionLabel(headers), outcome: 'dead' })
  }
  for (const { record, decision } of batch.decided) {
    metrics.decisions.inc({
      service: service.name,
      action: actionLabel(record.headers),
      outcome: outcomeOf(record, decision),
    })
  }
  const sources = new Set(
    batch.decided
      .filter(({ decision }) => decision.events?.length || decision.commands?.length || decision.records?.length)
      .map(({ record }) => outboxSource(service.name, record.record.partition)),
  )
  if (sources.size > 0) backbone.outbox.flush([...sources])
  const wakes = batch.decided.flatMap(({ decision }) => decision.jobs?.put ?? [])

  const failed = (what: string) => (cause: unknown) => {
    metrics.failuresAfterCommit.inc({ service: service.name })
    ports.log.error({ err: cause }, what)
  }
  await Promise.all([
    publish(batch, service, tools),
    wakes.length > 0 ? backbone.jobs.schedule(wakes).catch(failed('jobs wait for the sweep')) : undefined,
    service.after?.(batch, ports).catch(failed('work after the commit failed')),
  ])
}

async function publish<State>(batch: AppliedBatch, service: Service<State>, { ports, metrics }: Tools): Promise<void> {
  const verdicts = batch.decided.flatMap(({ decision }) => decision.verdicts ?? [])
  const messages = [
    ...batch.decided.flatMap(({ record, decision }) => toAnswer(record, decision)),
    ...(verdicts.length > 0 ? [{ channel: verdictsChannel, message: { kind: 'verdicts' as const, verdicts } }] : []),
  ]
  if (messages.length === 0) return
  try {
    await ports.backbone.channels.publish(messages)
  } catch (cause) {
    // The gateway's safe answers cover this; a second attempt would come after them.
    metrics.answersLost.inc({ service: service.name }, messages.length)
    ports.log.warn({ err: cause, answers: messages.length }, 'the station channels took no answers')
  }
}

function toAnswer(record: InboundRecord, { answer }: Decision): { channel: string; message: ChannelMessage }[] {
  if (record.answer !== 'decision' || !answer) return []
  const { connectionId, sequence } = record
  return [{ channel: stationChannel(record.stationId), message: { kind: 'answer', connectionId, sequence, answer } }]
}

function outcomeOf(record: InboundRecord, { answer }: Decision): string {
  if (record.answer !== 'decision' || !answer) return 'noted'
  return 'error' in answer ? 'error' : 'answered'
}

const ownTypes = new Set([
  'connected',
  'disconnected',
  'presence',
  'answered',
  'due',
  'outcome',
  'follow-up',
  'gateway-lost',
  'password-used',
  'superseded',
  'command-news',
  'operator-request',
  'certificate-issued',
  'event',
])

/** Bounded, whatever a station calls its actions or an outsider its records. */
function actionLabel(headers: Headers): string {
  const { type = '', action, protocol } = headers
  if (type !== 'call' || action === undefined) return ownTypes.has(type) ? type : 'other'
  const version = protocol === 'ocpp2.0.1' || protocol === 'ocpp2.1' ? protocol : 'ocpp1.6'
  return findAction(version, action) ? action : 'other'
}
