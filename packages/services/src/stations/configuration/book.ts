/** What is known of one configuration key of one station. */
export interface ConfigurationRow {
  stationId: string
  /** The name folded to lower case. */
  variableKey: string
  /** As the station, or else the operator, spells it. */
  variable: string
  /** Secrets masked; null for a key without a value. */
  value: string | null
  /** ReadOnly | ReadWrite; null until the station said so. */
  mutability: string | null
  /** Its value from the next boot on; null when nothing is pending. */
  pendingValue: string | null
  /** The station said that it does not know it. */
  isUnknown: boolean
  updatedAt: Date
}

/** A station that invents keys must not fill the table. */
const maxKeys = 1_000

export class ConfigurationBook {
  readonly changedRows = new Set<ConfigurationRow>()
  readonly #rows = new Map<string, Map<string, ConfigurationRow>>()

  constructor(rows: readonly ConfigurationRow[] = []) {
    for (const row of rows) this.#rowsOf(row.stationId).set(row.variableKey, row)
  }

  find(stationId: string, key: string): Readonly<ConfigurationRow> | null {
    return this.#rows.get(stationId)?.get(key.toLowerCase()) ?? null
  }

  /** The station read it out. What is pending stays so until that is what it reads. */
  read(stationId: string, key: string, told: { value: string | null; isReadonly: boolean; at: Date }): void {
    const pendingValue = this.find(stationId, key)?.pendingValue ?? null
    this.#change(stationId, key, told.at, {
      variable: key,
      value: told.value,
      mutability: told.isReadonly ? 'ReadOnly' : 'ReadWrite',
      pendingValue: pendingValue === told.value ? null : pendingValue,
      isUnknown: false,
    })
  }

  changed(stationId: string, key: string, value: string | null, at: Date): void {
    this.#change(stationId, key, at, { value, pendingValue: null, isUnknown: false })
  }

  pending(stationId: string, key: string, pendingValue: string | null, at: Date): void {
    this.#change(stationId, key, at, { pendingValue, isUnknown: false })
  }

  unknown(stationId: string, key: string, at: Date): void {
    this.#change(stationId, key, at, { value: null, mutability: null, pendingValue: null, isUnknown: true })
  }

  /** What waited for it is true now. */
  booted(stationId: string, at: Date): void {
    for (const row of this.#rows.get(stationId)?.values() ?? []) {
      if (row.pendingValue !== null) this.changed(stationId, row.variableKey, row.pendingValue, at)
    }
  }

  #change(stationId: string, key: string, updatedAt: Date, change: Partial<ConfigurationRow>): void {
    const rows = this.#rowsOf(stationId)
    const variableKey = key.toLowerCase()
    const known = rows.get(variableKey)
    if (!known && rows.size >= maxKeys) return
    const row = Object.assign(known ?? blankRow(stationId, key), change, { updatedAt })
    rows.set(variableKey, row)
    this.changedRows.add(row)
  }

  #rowsOf(stationId: string): Map<string, ConfigurationRow> {
    const rows = this.#rows.get(stationId) ?? new Map<string, ConfigurationRow>()
    this.#rows.set(stationId, rows)
    return rows
  }
}

const blankRow = (stationId: string, key: string) => ({
  stationId,
  variableKey: key.toLowerCase(),
  variable: key,
  value: null,
  mutability: null,
  pendingValue: null,
  isUnknown: false,
})
