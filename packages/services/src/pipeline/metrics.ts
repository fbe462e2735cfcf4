import { quirkCounter, sharedMetric } from '@busbar/backbone'
import { Counter, Histogram, type Registry } from 'prom-client'

/** What a worker shows of itself; all services of a process share one registry, apart by label `service`. */
export interface ServiceMetrics {
  batchRecords: Histogram<'service'>
  decideSeconds: Histogram<'service'>
  commitSeconds: Histogram<'service'>
  /** outcome: answered, error (CALLERROR), noted (no answer asked for), dead. */
  decisions: Counter<'service' | 'action' | 'outcome'>
  /** reason: one of `redoReasons`. */
  redos: Counter<'service' | 'reason'>
  answersLost: Counter<'service'>
  failuresAfterCommit: Counter<'service'>
  quirks: Counter<'kind'>
}

/** A decision threw; Postgres refused what was to be saved. */
const redoReasons = ['decision', 'data']

const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** @param service whose counters begin at 0, for alarms on the first of their kind */
export function serviceMetrics(registry: Registry, service: string): ServiceMetrics {
  const histogram = (name: string, help: string, buckets: number[]) =>
    sharedMetric(
      registry,
      name,
      () => new Histogram({ name, help, buckets, labelNames: ['service'], registers: [registry] }),
    )
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    sharedMetric(registry, name, () => new Counter({ name, help, labelNames, registers: [registry] }))
  const metrics: ServiceMetrics = {
    batchRecords: histogram(
      'busbar_service_batch_records',
      'Records in one commit',
      [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000],
    ),
    decideSeconds: histogram('busbar_service_decide_seconds', 'Load and decide, per batch', seconds),
    commitSeconds: histogram('busbar_service_commit_seconds', 'The commit, per batch', seconds),
    decisions: counter('busbar_service_decisions_total', 'Records decided, by action and outcome', [
      'service',
      'action',
      'outcome',
    ]),
    quirks: quirkCounter(registry),
    redos: counter('busbar_service_redos_total', 'Batches decided again, by reason', ['service', 'reason']),
    answersLost: counter('busbar_service_answers_lost_total', 'Answers the station channels did not take', ['service']),
    failuresAfterCommit: counter('busbar_service_failures_after_commit_total', 'Work after a commit that failed', [
      'service',
    ]),
  }
  for (const reason of redoReasons) metrics.redos.inc({ service, reason }, 0)
  metrics.answersLost.inc({ service }, 0)
  metrics.failuresAfterCommit.inc({ service }, 0)
  return metrics
}
