import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { sharedMetric } from './registry.js'

/** Without labels for stations: their number has no bound. */
export interface BackboneMetrics {
  appendSeconds: Histogram
  appendBatchRecords: Histogram
  appendFailures: Counter
  logAvailable: Gauge
  laneLag: Gauge<'service'>
  partitionsRead: Gauge<'service'>
  partitions: Gauge
  deliveredRecords: Histogram<'service'>
  offsetJumps: Counter<'service'>
  conflicts: Counter<'service'>
  pauses: Counter<'service'>
  rekeyed: Counter<'service'>
  outboxSent: Counter
  outboxRetries: Counter
  jobsDue: Counter
  jobLateness: Histogram
  wakesMissed: Counter
  redisFailures: Counter
}

export function backboneMetrics(registry: Registry): BackboneMetrics {
  const registers = [registry]
  const counter = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
    sharedMetric(registry, name, () => new Counter<L>({ name, help, labelNames, registers }))
  const gauge = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
    sharedMetric(registry, name, () => new Gauge<L>({ name, help, labelNames, registers }))
  const histogram = <L extends string = never>(name: string, help: string, buckets: number[], labelNames: L[] = []) =>
    sharedMetric(registry, name, () => new Histogram<L>({ name, help, buckets, labelNames, registers }))
  const sizes = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000]
  const seconds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 20]
  return {
    appendSeconds: histogram(
      'busbar_log_append_seconds',
      'From append to acknowledgement, of the oldest record in a request',
      seconds,
    ),
    appendBatchRecords: histogram('busbar_log_append_batch_records', 'Records sent to the log in one request', sizes),
    appendFailures: counter('busbar_log_append_failures_total', 'Requests to the log that failed; most are repeated'),
    logAvailable: gauge('busbar_log_available', '1 while the log takes records'),
    laneLag: gauge('busbar_consumer_lag_records', 'Records in the log not yet applied, of the partitions owned here', [
      'service',
    ]),
    partitionsRead: gauge('busbar_consumer_partitions', 'Partitions that this process reads', ['service']),
    partitions: gauge('busbar_log_partitions', 'Partitions that there are of every topic'),
    deliveredRecords: histogram('busbar_consumer_batch_records', 'Records handed over at once', sizes, ['service']),
    offsetJumps: counter('busbar_consumer_offset_jumps_total', 'Gaps: records the log no longer had', ['service']),
    conflicts: counter('busbar_consumer_conflicts_total', 'Commits refused because another worker moved the offsets', [
      'service',
    ]),
    pauses: counter('busbar_consumer_pauses_total', 'Batches put off because something was away', ['service']),
    rekeyed: counter('busbar_consumer_rekeyed_total', 'Records appended again because they lay on a wrong partition', [
      'service',
    ]),
    outboxSent: counter('busbar_outbox_sent_total', 'Outbox rows acknowledged by the log'),
    outboxRetries: counter('busbar_outbox_retries_total', 'Rounds of the outbox that failed and are repeated'),
    jobsDue: counter('busbar_jobs_due_total', 'Due jobs handed out'),
    jobLateness: histogram(
      'busbar_job_lateness_seconds',
      'From the time a job was due to its being handed out',
      [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600],
    ),
    wakesMissed: counter('busbar_job_wakes_missed_total', 'Wakes that could not be ordered; the sweep finds the job'),
    redisFailures: counter('busbar_redis_failures_total', 'Requests to Redis that failed'),
  }
}

/**
 * Makes the counters of a consumer begin at 0: one that appears with its first count shows no increase, and the alarm on it
 * would miss what happens for the first time.
 */
export function beginCounts({ offsetJumps, conflicts, pauses, rekeyed }: BackboneMetrics, service: string): void {
  for (const counter of [offsetJumps, conflicts, pauses, rekeyed]) counter.inc({ service }, 0)
}
