import { type LapsedGateway, type OutgoingRecord, sharedMetric, type Topics } from '@busbar/backbone'
import { UnavailableError } from '@busbar/store'
import { Counter, type Registry } from 'prom-client'
import type { Ports } from '../pipeline/service.js'

const watchIntervalMs = 2_000

type WatchPorts = Pick<Ports, 'backbone' | 'log' | 'clock' | 'metrics'>

/**
 * Speaks for gateways that can no longer: one whose lease lapsed closed none of its connections, so each of its
 * stations gets the `disconnected` record the gateway would have written, and the commands service is told that what
 * this connection was handed has no outcome any more.
 *
 * Every worker that runs `stations` watches; a lapsed gateway is handed to one of them and again to another when that
 * one does not finish. The epoch keeps a repetition harmless, and a station that has meanwhile come back online.
 */
export function startLeaseWatch(ports: WatchPorts): { stop(): Promise<void> } {
  lapseCounter(ports.metrics)
  let stopped = false
  let round: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    round = round.then(() => (stopped ? undefined : watchOnce(ports)))
  }, watchIntervalMs)
  return {
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await round
    },
  }
}

/** One look at the leases. Never throws: what was not finished is handed out again. */
export async function watchOnce({ backbone, log, clock, metrics }: WatchPorts): Promise<void> {
  try {
    for (const gateway of await backbone.ownership.takeLapsed()) {
      const { gatewayId, stations } = gateway
      log.warn({ gatewayId, stations: stations.length }, 'the lease of a gateway lapsed')
      const records = toRecords(gateway, backbone.topics, clock?.() ?? new Date())
      await Promise.all(records.map((record) => backbone.log.append(record)))
      await backbone.ownership.releaseGateway(gatewayId)
      lapseCounter(metrics).inc()
    }
  } catch (cause) {
    if (cause instanceof UnavailableError) log.warn({ err: cause }, 'lapsed gateways wait')
    else log.error({ err: cause }, 'lapsed gateways wait')
  }
}

function toRecords({ gatewayId, stations }: LapsedGateway, topics: Topics, now: Date): OutgoingRecord[] {
  return stations.flatMap(({ stationId, connectionId, epoch }) => {
    const headers = {
      station: stationId,
      connection: connectionId,
      epoch: String(epoch),
      gateway: gatewayId,
      receivedAt: now.toISOString(),
    }
    return [
      {
        topic: topics.lane('stations'),
        key: stationId,
        // 1006: closed without a close frame (RFC 6455 §7.4.1).
        value: JSON.stringify({ code: 1006, reason: 'gateway gone' }),
        headers: { ...headers, type: 'disconnected' },
      },
      {
        topic: topics.outcomes,
        key: stationId,
        value: JSON.stringify({ connectionId, gatewayId }),
        headers: { ...headers, type: 'gateway-lost' },
      },
    ]
  })
}

function lapseCounter(registry: Registry): Counter {
  const name = 'busbar_lapsed_gateways_total'
  const help = 'Gateways that went without leaving, spoken for here'
  return sharedMetric(registry, name, () => new Counter({ name, help, registers: [registry] }))
}
