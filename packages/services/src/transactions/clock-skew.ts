import { sharedMetric } from '@busbar/backbone'
import { type Payload, parseTimestamp } from '@busbar/ocpp'
import { Histogram, type Registry } from 'prom-client'
import type { CommittedBatch, InboundRecord } from '../pipeline/service.js'

const yearSeconds = 365 * 86_400
// Not 1: prom-client takes the limit -1 for the one above all others.
const limits = [2, 10, 60, 3_600, 86_400, yearSeconds]

/**
 * How far stations' clocks are ahead of ours, in seconds; below 0 they are behind, or the message waited in a queue.
 * No station is named: the message itself is kept with both times, and a wrong clock is a flag of its transaction.
 */
export function observeClocks({ decided }: CommittedBatch, registry: Registry): void {
  const skews = histogram(registry)
  for (const { record } of decided) {
    const skew = record.type === 'call' ? clockSkew(record) : null
    if (skew !== null) skews.observe(skew)
  }
}

/** Seconds; null when the station named no time that can be read. */
export function clockSkew({ payload, receivedAt }: InboundRecord): number | null {
  const { at, guessed } = parseTimestamp(timeOf(payload), receivedAt)
  return guessed ? null : (at.getTime() - receivedAt.getTime()) / 1_000
}

/** MeterValues have a time per value, of which the last is the nearest to now. */
function timeOf({ timestamp, meterValue }: Payload): unknown {
  if (timestamp !== undefined || !Array.isArray(meterValue)) return timestamp
  return (meterValue.at(-1) as { timestamp?: unknown } | null | undefined)?.timestamp
}

function histogram(registry: Registry): Histogram {
  const name = 'busbar_station_clock_skew_seconds'
  const help = 'Seconds that times said by stations are ahead of their receipt'
  const buckets = [...limits.map((limit) => -limit).reverse(), ...limits]
  return sharedMetric(registry, name, () => new Histogram({ name, help, buckets, registers: [registry] }))
}
