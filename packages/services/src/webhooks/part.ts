import type { Part } from '../pipeline/parts.js'
import type { Decision, DecisionContext, InboundRecord } from '../pipeline/service.js'
import { type Standing, type Subscription, WebhooksState } from './state.js'
import { selectStandings, selectSubscriptions } from './statements.js'

/** Keyed by the webhook's id: it may have failed for too long, was switched on again, or is gone. */
export const webhookJob = 'webhook-look'

/** Tried for so long. */
export const deliveryMs = 24 * 3_600_000

export interface WebhooksPartOptions {
  /** A webhook that failed for so long is given up. */
  disableAfterMs: number
  /** Deliveries may have been written. */
  onCommitted(): void
}

/** Writes down who is to be told of an event; told by `sender.ts`. See README.md. */
export function createWebhooksPart({ disableAfterMs, onCommitted }: WebhooksPartOptions): Part<WebhooksState> {
  return {
    records: { event: takeEvent },
    jobs: { [webhookJob]: (key, state, context) => lookAt(key, state, context, disableAfterMs) },
    load: async (session, records) => {
      const keys = records.filter(({ type }) => type === 'due').map(({ payload }) => String(payload.key))
      const [subscriptions, standings] = await Promise.all([
        keys.length === records.length ? [] : session.query<Subscription>(selectSubscriptions()),
        keys.length === 0 ? [] : session.query<Standing>(selectStandings([...new Set(keys)])),
      ])
      return new WebhooksState(subscriptions, standings)
    },
    save: (state) => state.save(),
    after: async () => onCommitted(),
  }
}

/** An event of before a webhook was made, or while it was off, is none of its. */
function takeEvent(record: InboundRecord, state: WebhooksState, { now, newId }: DecisionContext): Decision {
  const { id: eventId, type: eventType } = record.payload
  if (typeof eventId !== 'string' || typeof eventType !== 'string') return {}
  const { value: body, appendedAt } = record.record
  for (const { id: webhookId, eventTypes, enabledAt } of state.subscriptions) {
    if (appendedAt < enabledAt || !wants(eventTypes, eventType)) continue
    const times = { createdAt: now, dueAt: now, expiresAt: new Date(now.getTime() + deliveryMs) }
    state.add({ id: newId(), webhookId, eventId, eventType, body, status: 'pending', ...times })
  }
  return {}
}

export function wants(eventTypes: readonly string[], type: string): boolean {
  return (
    eventTypes.length === 0 ||
    eventTypes.some((each) => (each.endsWith('.*') ? type.startsWith(each.slice(0, -1)) : each === type))
  )
}

function lookAt(key: string, state: WebhooksState, { now }: DecisionContext, disableAfterMs: number): Decision {
  const job = { service: 'notifications' as const, kind: webhookJob, key, stationId: key }
  const done = { put: [], remove: [{ ...job, dueAt: now }] }
  const standing = state.standing(key)
  if (!standing) return { jobs: done }
  const { failingSince, disabledAt, enabledAt, name } = standing
  if (enabledAt === null) {
    state.forget(standing)
    return { jobs: done, events: [toEvent('deleted', standing)] }
  }
  if (disabledAt !== null) {
    if (enabledAt <= disabledAt) return { jobs: done }
    state.forget(standing)
    return { jobs: done, events: [toEvent('enabled', standing)] }
  }
  if (failingSince === null) return { jobs: done }
  const dueAt = new Date(failingSince.getTime() + disableAfterMs)
  if (now < dueAt) return { jobs: { put: [{ ...job, dueAt }], remove: [] } }
  state.disable(standing, now)
  return { jobs: done, events: [toEvent('disabled', standing, { name, failingSince })] }
}

function toEvent(change: 'deleted' | 'enabled' | 'disabled', { id }: Standing, data: object = {}) {
  return {
    type: `webhook.${change}` as const,
    source: '/busbar/webhooks',
    subject: `webhook/${id}`,
    data: { webhookId: id, ...data },
  }
}
