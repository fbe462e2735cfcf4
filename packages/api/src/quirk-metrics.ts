import { Counter, type Registry } from 'prom-client'

/** Counts that a station was met with what it alone needs; one metric with the gateway's and the services'. */
export function countQuirk(metrics: Registry, kind: string): void {
  const name = 'busbar_quirks_total'
  const known = metrics.getSingleMetric(name) as Counter<'kind'> | undefined
  const help = 'Deviations of stations that were tolerated'
  const counter = known ?? new Counter({ name, help, labelNames: ['kind'], registers: [metrics] })
  counter.inc({ kind })
}
