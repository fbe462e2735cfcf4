import type { Sql } from '@busbar/store'
import type { AlarmLevel } from './alarms.js'
import { insertEvents, upsertChanges } from './statements.js'

/** A row of security_event. */
export interface SecurityEventRow {
  stationId: string
  contentKey: string
  id: string
  type: string
  occurredAt: Date
  receivedAt: Date
  techInfo: string | null
  level: AlarmLevel | null
}

/** A row of security_profile_change. */
export interface ProfileChangeRow {
  stationId: string
  profile: number
  status: string
  commandId: string
  requestedAt: Date
  answeredAt: Date | null
}

export interface SecurityRows {
  /** Content keys that are known of those that a batch brings. */
  known: readonly { stationId: string; contentKey: string }[]
  /** Events of the last hour, by station. */
  recentEvents: ReadonlyMap<string, number>
  changes: readonly ProfileChangeRow[]
}

export class SecurityState {
  readonly #known: Set<string>
  readonly #recentEvents: Map<string, number>
  readonly #changes: Map<string, ProfileChangeRow>
  readonly #added: SecurityEventRow[] = []
  readonly #changed = new Set<ProfileChangeRow>()

  constructor({ known = [], recentEvents = new Map(), changes = [] }: Partial<SecurityRows> = {}) {
    this.#known = new Set(known.map(toKey))
    this.#recentEvents = new Map(recentEvents)
    this.#changes = new Map(changes.map((row) => [row.stationId, row]))
  }

  isKnown(event: Pick<SecurityEventRow, 'stationId' | 'contentKey'>): boolean {
    return this.#known.has(toKey(event))
  }

  /** @returns how many it has sent within the hour, this one included */
  countEvent(stationId: string): number {
    const count = (this.#recentEvents.get(stationId) ?? 0) + 1
    this.#recentEvents.set(stationId, count)
    return count
  }

  addEvent(row: SecurityEventRow): void {
    this.#known.add(toKey(row))
    this.#added.push(row)
  }

  changeOf(stationId: string): Readonly<ProfileChangeRow> | undefined {
    return this.#changes.get(stationId)
  }

  putChange(row: ProfileChangeRow): void {
    const before = this.#changes.get(row.stationId)
    if (before) this.#changed.delete(before)
    this.#changes.set(row.stationId, row)
    this.#changed.add(row)
  }

  save(): Sql[] {
    return [
      ...(this.#added.length > 0 ? [insertEvents(this.#added)] : []),
      ...(this.#changed.size > 0 ? [upsertChanges([...this.#changed])] : []),
    ]
  }
}

const toKey = ({ stationId, contentKey }: Pick<SecurityEventRow, 'stationId' | 'contentKey'>) =>
  `${stationId}\n${contentKey}`
