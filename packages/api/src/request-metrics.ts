import { Histogram, type Registry } from 'prom-client'
import type { Api } from './api.js'

/** By route, not by address: an id in a label would be one series per station. */
export function measureRequests(app: Api, metrics: Registry): void {
  const duration = new Histogram({
    name: 'busbar_api_request_duration_seconds',
    help: 'Time from the request to the end of its answer, waits for verdicts included',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30, 60],
    registers: [metrics],
  })
  app.addHook('onResponse', async ({ method, routeOptions }, reply) => {
    duration.observe({ method, route: routeOptions.url ?? 'none', status: reply.statusCode }, reply.elapsedTime / 1000)
  })
}
