import { hash } from 'node:crypto'
import { parseTimestamp, type v16 } from '@busbar/ocpp'
import { answer, type Decide, type EventDraft } from '../../pipeline/service.js'
import { alarmLevelOf, maskSecrets } from '../alarms.js'
import type { SecurityState } from '../state.js'

/** Of one station; what comes beyond that stands in the journal alone. */
const maxEventsPerHour = 200

/**
 * Keeps what a station says of its security, however old: it queues while it is offline. The critical ones raise an alarm.
 *
 * @see OCPP 1.6 security white paper A04, §8
 */
export const securityEventNotification: Decide<
  v16.SecurityEventNotificationRequest,
  v16.SecurityEventNotificationResponse,
  SecurityState
> = (request, state, { station, record, newId }) => {
  const { receivedAt } = record
  const { at: occurredAt } = parseTimestamp(request.timestamp, receivedAt)
  const contentKey = contentKeyOf(request)
  if (state.isKnown({ stationId: station.id, contentKey })) return answer({})

  const count = state.countEvent(station.id)
  if (count > maxEventsPerHour) return answer({})
  const { type } = request
  const techInfo = request.techInfo === undefined ? null : maskSecrets(request.techInfo)
  const level = alarmLevelOf(type)
  const row = { stationId: station.id, contentKey, id: newId(), type, occurredAt, receivedAt, techInfo, level }
  state.addEvent(row)
  const event = { subject: `security-event/${row.id}`, time: occurredAt, data: { type, occurredAt, techInfo, level } }
  const events = [
    { ...event, type: 'security.event' as const },
    ...(level ? [{ ...event, type: 'security.alarm' as const }] : []),
    ...(count === maxEventsPerHour ? [floodAlarm] : []),
  ]
  return answer({}, { events })
}

const floodAlarm: EventDraft = {
  type: 'security.alarm',
  subject: 'security-events',
  data: { type: 'SecurityEventFlood', level: 'warning', perHour: maxEventsPerHour },
}

/** The same event again, because its answer was lost, is the same row. */
export function contentKeyOf({ type, timestamp, techInfo }: v16.SecurityEventNotificationRequest): string {
  return hash('sha256', JSON.stringify([type, timestamp, techInfo ?? null]))
}
