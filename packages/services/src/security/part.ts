import type { v16 } from '@busbar/ocpp'
import type { Part } from '../pipeline/parts.js'
import { takeProfileChange } from './profile-change.js'
import { type ProfileChangeRow, SecurityState } from './state.js'
import { countEvents, selectChanges, selectKnownEvents } from './statements.js'
import { contentKeyOf, securityEventNotification } from './v16/security-event-notification.js'

/** What stations say of their security, and the profile they were told to use. See README.md. */
export const securityPart: Part<SecurityState> = {
  actions: { 'ocpp1.6': { SecurityEventNotification: securityEventNotification }, 'ocpp2.0.1': {} },
  news: { ChangeConfiguration: takeProfileChange },
  load: async (session, records) => {
    const events = records.filter(({ type }) => type === 'call')
    const changing = records.filter(({ type }) => type !== 'call').map(({ stationId }) => stationId)
    const keys = events.map(({ stationId, payload }) => ({
      stationId,
      contentKey: contentKeyOf(payload as unknown as v16.SecurityEventNotificationRequest),
    }))
    const since = new Date(Math.max(...events.map(({ receivedAt }) => receivedAt.getTime())))
    const [known, counts, changes] = await Promise.all([
      keys.length === 0 ? [] : session.query<(typeof keys)[number]>(selectKnownEvents(keys)),
      keys.length === 0
        ? []
        : session.query<{ stationId: string; count: number }>(
            countEvents([...new Set(keys.map(({ stationId }) => stationId))], since.toISOString()),
          ),
      changing.length === 0 ? [] : session.query<ProfileChangeRow>(selectChanges([...new Set(changing)])),
    ])
    const recentEvents = new Map(counts.map(({ stationId, count }) => [stationId, count]))
    return new SecurityState({ known, recentEvents, changes })
  },
  save: (state) => state.save(),
}
