import { Counter, type Metric, type Registry } from 'prom-client'

/** Parts of a process that count under one name (two roles, two services, a test) share the metric. */
export function sharedMetric<M extends Metric>(registry: Registry, name: string, create: () => M): M {
  return (registry.getSingleMetric(name) as M | undefined) ?? create()
}

/** Counts what is tolerated of stations, wherever it is met: by the gateway, a service or the API. */
export function quirkCounter(registry: Registry): Counter<'kind'> {
  const name = 'busbar_quirks_total'
  const help = 'Deviations of stations that were tolerated'
  return sharedMetric(registry, name, () => new Counter({ name, help, labelNames: ['kind'], registers: [registry] }))
}
