/** How long something may last before it is an alert. 0 is for ever: no such alert. */
export interface AlertSettings {
  /** Minutes without a connection. */
  offlineMinutes: number
  /** Minutes in status Faulted. */
  faultedMinutes: number
  /** Heartbeat intervals in which a connected station says nothing. */
  silentIntervals: number
  /** Hours without a word about an active transaction. */
  stuckHours: number
  /** Refused attempts to connect, one after the other. */
  refusedAttempts: number
}

/** The station's switches, which are its preset's and its own, before the deployment's settings. */
const switchNames: Readonly<Record<keyof AlertSettings, string>> = {
  offlineMinutes: 'alertOfflineMinutes',
  faultedMinutes: 'alertFaultedMinutes',
  silentIntervals: 'alertSilentIntervals',
  stuckHours: 'alertStuckHours',
  refusedAttempts: 'alertRefusedAttempts',
}

export function settingsOf(defaults: AlertSettings, switches: Readonly<Record<string, unknown>>): AlertSettings {
  const entries = Object.entries(switchNames).map(([setting, name]) => {
    const own = switches[name]
    return [setting, typeof own === 'number' ? own : defaults[setting as keyof AlertSettings]]
  })
  return Object.fromEntries(entries) as AlertSettings
}
