import { createAlertsPart } from '../alerts/part.js'
import { startRefusedWatch } from '../alerts/refused-watch.js'
import type { AlertSettings } from '../alerts/settings.js'
import { composeParts, type OpenParts, toPart } from '../pipeline/parts.js'
import { runService } from '../pipeline/run-service.js'
import type { Ports, Service } from '../pipeline/service.js'
import type { Egress } from '../webhooks/egress.js'
import { createWebhooksPart } from '../webhooks/part.js'
import { WebhookSender } from '../webhooks/sender.js'

export interface NotificationsOptions {
  /** What holds where a station's switches say nothing. */
  alerts: AlertSettings
  webhooks: {
    egress: Egress
    timeoutMs: number
    /** A webhook that failed for so long is given up. */
    disableAfterMs: number
  }
}

/**
 * Tells operators, and programs of theirs, what happens: alerts, and webhooks.
 *
 * `busbar.events` and lane `busbar.ocpp.notifications`, delivered at least once: alerts are made of what the tables say, and
 * an event has one delivery a webhook, so a repeat changes nothing. Nobody waits.
 */
export function createNotificationsService(
  { alerts, webhooks }: NotificationsOptions,
  onDeliveries: () => void,
): Service<OpenParts> {
  return {
    name: 'notifications',
    topics: (names) => [names.lane('notifications'), names.events],
    gathered: (names) => [names.lane('notifications'), names.events],
    ...composeParts([
      toPart(createAlertsPart(alerts)),
      toPart(createWebhooksPart({ disableAfterMs: webhooks.disableAfterMs, onCommitted: onDeliveries })),
    ]),
  }
}

/** The service with what works beside its batches. */
export async function startNotifications(
  ports: Ports,
  options: NotificationsOptions,
): Promise<{ stop(): Promise<void> }> {
  const sender = new WebhookSender(ports, options.webhooks)
  const watch = startRefusedWatch(ports)
  const service = await runService(
    createNotificationsService(options, () => sender.poke()),
    ports,
  )
  return {
    stop: async () => {
      await service.stop()
      await watch.stop()
      await sender.stop()
    },
  }
}
