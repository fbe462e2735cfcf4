import type { AlertKind, Condition, Severity } from './conditions.js'

/** A row of alert. */
export interface Alert {
  id: string
  kind: AlertKind
  stationId: string | null
  subject: string
  severity: Severity
  since: Date
  raisedAt: Date
  clearedAt: Date | null
  details: object
}

/** What has to happen so that the open alerts are those that the conditions call for. */
export interface Settlement {
  raise: Condition[]
  clear: Alert[]
  /** When to look again though nothing was heard; null: there is nothing to look for. */
  lookAt: Date | null
}

/** Some speak without an event, or stop trying; of all others only the deployment's settings may change without a word. */
const recheckMs: Readonly<Partial<Record<AlertKind, number>>> = { silent: 300_000, refused: 3_600_000 }
const dayMs = 86_400_000

/**
 * Made of what is known and nothing else: in whatever order things were heard of, and however often, the same alerts are
 * open in the end. One that lasts is raised once.
 */
export function settle(open: readonly Alert[], conditions: readonly Condition[], now: Date): Settlement {
  const lasting = conditions.filter(({ dueAt }) => dueAt <= now)
  const isSame = (alert: Alert) => (each: Condition) => each.kind === alert.kind && each.subject === alert.subject
  const raise = lasting.filter((each) => !open.some((alert) => isSame(alert)(each)))
  const clear = open.filter((alert) => !lasting.some(isSame(alert)))
  const coming = conditions.map(({ dueAt }) => dueAt.getTime()).filter((at) => at > now.getTime())
  const rechecks = lasting.map(({ kind }) => now.getTime() + (recheckMs[kind] ?? dayMs))
  const times = [...coming, ...rechecks]
  return { raise, clear, lookAt: times.length > 0 ? new Date(Math.min(...times)) : null }
}
