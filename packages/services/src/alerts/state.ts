import type { Job } from '@busbar/backbone'
import type { Sql } from '@busbar/store'
import type { StationFacts } from './conditions.js'
import type { Alert } from './settle.js'
import { upsertAlerts } from './statements.js'

/** Keyed by the station: look whether something has lasted for long enough, or is over. */
export const lookJob = 'alert-look'

export class AlertsState {
  readonly #facts: ReadonlyMap<string, StationFacts>
  readonly #open = new Map<string, Alert>()
  readonly #looks: Map<string, Date>
  readonly #changed = new Map<string, Alert>()
  readonly #refused = new Map<string, StationFacts['refused']>()

  constructor(
    facts: readonly StationFacts[] = [],
    open: readonly Alert[] = [],
    looks: readonly { stationId: string; dueAt: Date }[] = [],
  ) {
    this.#facts = new Map(facts.map((each) => [each.stationId, each]))
    for (const alert of open) {
      this.#open.set(alert.id, alert)
      if (alert.kind === 'refused') this.#refused.set(alert.stationId ?? '', alert.details as StationFacts['refused'])
    }
    this.#looks = new Map(looks.map(({ stationId, dueAt }) => [stationId, dueAt]))
  }

  factsOf(stationId: string): StationFacts | null {
    const facts = this.#facts.get(stationId)
    return facts ? { ...facts, refused: this.#refused.get(stationId) ?? null } : null
  }

  openOf(stationId: string | null, subject?: string): Alert[] {
    return [...this.#open.values()].filter(
      (alert) => alert.stationId === stationId && (subject === undefined || alert.subject === subject),
    )
  }

  /**
   * What gateways tell now; an alert that is open tells it from now on. One that restarted, or gave no answer this time,
   * takes nothing back of what was counted.
   */
  tellRefused(stationId: string, told: Omit<NonNullable<StationFacts['refused']>, 'firstToldAt'>, now: Date): void {
    const before = this.#refused.get(stationId)
    const count = Math.max(told.count, before?.count ?? 0)
    const refused = { ...told, count, firstToldAt: before?.firstToldAt ?? now.toISOString() }
    this.#refused.set(stationId, refused)
    for (const alert of this.openOf(stationId)) if (alert.kind === 'refused') this.#put({ ...alert, details: refused })
  }

  raise(alert: Alert): void {
    this.#open.set(alert.id, alert)
    this.#changed.set(alert.id, alert)
  }

  clear(alert: Alert, now: Date): Alert {
    const cleared = { ...alert, clearedAt: now }
    this.#open.delete(alert.id)
    this.#changed.set(alert.id, cleared)
    return cleared
  }

  /** @returns the job to put; none where an earlier one stands, which will see for itself */
  lookAgain(stationId: string, dueAt: Date): Job[] {
    const standing = this.#looks.get(stationId)
    if (standing && standing <= dueAt) return []
    this.#looks.set(stationId, dueAt)
    return [{ service: 'notifications', kind: lookJob, key: stationId, stationId, dueAt }]
  }

  /** The job that was due stands no more. */
  looked(stationId: string): void {
    this.#looks.delete(stationId)
  }

  save(): Sql[] {
    return this.#changed.size > 0 ? [upsertAlerts([...this.#changed.values()])] : []
  }

  #put(alert: Alert): void {
    this.#open.set(alert.id, alert)
    this.#changed.set(alert.id, alert)
  }
}
