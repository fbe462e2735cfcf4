import type { StationFacts } from './conditions.js'
import type { AlertSettings } from './settings.js'

export const settings: AlertSettings = {
  offlineMinutes: 10,
  faultedMinutes: 1,
  silentIntervals: 3,
  stuckHours: 24,
  refusedAttempts: 3,
}

export const start = new Date('2026-03-01T10:00:00.000Z')
export const after = (minutes: number) => new Date(start.getTime() + minutes * 60_000)

/** A station with nothing wrong, as of minute 0. */
export function facts(rest: Partial<Omit<StationFacts, 'connection'>> & { connection?: object } = {}): StationFacts {
  const { connection, ...others } = rest
  const sound = { online: true, registration: 'Accepted', connectedAt: start, disconnectedAt: null, heardAt: start }
  return {
    stationId: 'CP-1',
    station: { heartbeatIntervalSeconds: 300, switches: {} },
    connection: { ...sound, ...connection },
    connectors: [],
    transactions: [],
    refused: null,
    ...others,
  }
}
