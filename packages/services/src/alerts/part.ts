import type { Part, ReceivedEvent } from '../pipeline/parts.js'
import type { Decision, DecisionContext, EventDraft, InboundRecord } from '../pipeline/service.js'
import { type Condition, conditionsOf } from './conditions.js'
import { loadAlerts } from './load.js'
import { type AlertSettings, settingsOf } from './settings.js'
import { type Alert, settle } from './settle.js'
import { type AlertsState, lookJob } from './state.js'

/** What gateways remember of a registered station that they turn away; told by `refused-watch.ts`. */
export const refusedType = 'refused-upgrades'

/** Notices what should not last, and says so: once when it has lasted for long enough, once when it is over. See README.md. */
export function createAlertsPart(defaults: AlertSettings): Part<AlertsState> {
  const look = (_: unknown, state: AlertsState, context: DecisionContext) => lookAt(state, context, defaults)
  return {
    events: {
      'busbar.station.connected.v1': look,
      'busbar.station.disconnected.v1': look,
      'busbar.station.booted.v1': look,
      'busbar.station.status-changed.v1': look,
      'busbar.transaction.started.v1': look,
      'busbar.transaction.ended.v1': look,
      'busbar.webhook.disabled.v1': webhookDisabled,
      'busbar.webhook.enabled.v1': webhookIsBack,
      'busbar.webhook.deleted.v1': webhookIsBack,
    },
    records: { [refusedType]: (record, state, context) => takeRefused(record, state, context, defaults) },
    jobs: {
      [lookJob]: (_, state, context) => {
        state.looked(context.station.id)
        const decision = lookAt(state, context, defaults)
        if (decision.jobs?.put.length) return decision
        const done = { service: 'notifications' as const, kind: lookJob, key: context.station.id }
        return {
          ...decision,
          jobs: { put: [], remove: [{ ...done, stationId: context.station.id, dueAt: context.now }] },
        }
      },
    },
    load: loadAlerts,
    save: (state) => state.save(),
  }
}

function lookAt(state: AlertsState, { station, now, newId }: DecisionContext, defaults: AlertSettings): Decision {
  const facts = state.factsOf(station.id)
  if (!facts) return {}
  const settings = settingsOf(defaults, facts.station?.switches ?? {})
  const { raise, clear, lookAt: next } = settle(state.openOf(station.id), conditionsOf(facts, settings, now), now)
  const events = [
    ...clear.map((alert) => cleared(state.clear(alert, now))),
    ...raise.map((condition) => raised(toAlert(condition, { id: newId(), stationId: station.id, now }), state)),
  ]
  return { events, jobs: { put: next ? state.lookAgain(station.id, next) : [], remove: [] } }
}

function takeRefused(
  { payload, stationId }: InboundRecord,
  state: AlertsState,
  context: DecisionContext,
  defaults: AlertSettings,
): Decision {
  const { reason, count, lastAt } = payload
  if (typeof reason !== 'string' || typeof count !== 'number' || typeof lastAt !== 'string') return {}
  state.tellRefused(stationId, { reason, count, lastAt }, context.now)
  return lookAt(state, context, defaults)
}

function webhookDisabled(
  { subject, data, time }: ReceivedEvent,
  state: AlertsState,
  { newId, now }: DecisionContext,
): Decision {
  if (state.openOf(null, subject).length > 0) return {}
  const since = new Date(typeof data.failingSince === 'string' ? data.failingSince : time)
  const condition = {
    kind: 'webhook-disabled',
    subject,
    severity: 'critical',
    since,
    dueAt: now,
    details: data,
  } as const
  return { events: [raised(toAlert(condition, { id: newId(), stationId: null, now }), state)] }
}

/** Or gone. */
function webhookIsBack({ subject }: ReceivedEvent, state: AlertsState, { now }: DecisionContext): Decision {
  return { events: state.openOf(null, subject).map((alert) => cleared(state.clear(alert, now))) }
}

function toAlert(
  { kind, subject, severity, since, details }: Condition,
  { id, stationId, now }: { id: string; stationId: string | null; now: Date },
): Alert {
  return { id, kind, stationId, subject, severity, since, raisedAt: now, clearedAt: null, details }
}

function raised(alert: Alert, state: AlertsState): EventDraft {
  state.raise(alert)
  return toEvent('alert.raised', alert, alert.raisedAt)
}

const cleared = (alert: Alert) => toEvent('alert.cleared', alert, alert.clearedAt ?? alert.raisedAt)

function toEvent(type: EventDraft['type'], alert: Alert, time: Date): EventDraft {
  const { id, kind, stationId, subject, severity, since, raisedAt, clearedAt, details } = alert
  return {
    type,
    ...(stationId === null && { source: '/busbar/webhooks' }),
    subject,
    time,
    data: { alertId: id, kind, stationId, subject, severity, since, raisedAt, clearedAt, details },
  }
}
