import type { Sql } from '@busbar/store'
import { deleteRoots, insertRoots, upsertInstallations } from './statements.js'

export type RootType = 'CentralSystemRoot' | 'ManufacturerRoot'

/** By which a station names a certificate. As it told it: it is given back, never computed. */
export interface HashData {
  hashAlgorithm: string
  issuerNameHash: string
  issuerKeyHash: string
  serialNumber: string
}

/** A row of installed_certificate. */
export interface RootRow extends HashData {
  id: string
  stationId: string
  type: RootType
  reportedAt: Date
}

/** A row of root_installation. */
export interface InstallationRow {
  commandId: string
  callIndex: number
  stationId: string
  type: RootType
  fingerprint: string | null
  status: string
  answer: string | null
  requestedAt: Date
  answeredAt: Date | null
}

export class InstalledRootsState {
  readonly #roots: Map<string, RootRow>
  readonly #installations: Map<string, InstallationRow>
  readonly #added = new Map<string, RootRow>()
  readonly #removed = new Set<string>()
  readonly #changed = new Set<InstallationRow>()

  constructor(roots: readonly RootRow[] = [], installations: readonly InstallationRow[] = []) {
    this.#roots = new Map(roots.map((row) => [row.id, row]))
    this.#installations = new Map(installations.map((row) => [toKey(row), row]))
  }

  ofStation(stationId: string): RootRow[] {
    return [...this.#roots.values()].filter((row) => row.stationId === stationId)
  }

  add(row: RootRow): void {
    this.#roots.set(row.id, row)
    this.#added.set(row.id, row)
  }

  remove({ id }: RootRow): void {
    this.#roots.delete(id)
    if (!this.#added.delete(id)) this.#removed.add(id)
  }

  findInstallation(place: Pick<InstallationRow, 'commandId' | 'callIndex'>): Readonly<InstallationRow> | undefined {
    return this.#installations.get(toKey(place))
  }

  putInstallation(row: InstallationRow): void {
    const before = this.#installations.get(toKey(row))
    if (before) this.#changed.delete(before)
    this.#installations.set(toKey(row), row)
    this.#changed.add(row)
  }

  save(): Sql[] {
    return [
      ...(this.#removed.size > 0 ? [deleteRoots([...this.#removed].map((id) => ({ id })))] : []),
      ...(this.#added.size > 0 ? [insertRoots([...this.#added.values()])] : []),
      ...(this.#changed.size > 0 ? [upsertInstallations([...this.#changed])] : []),
    ]
  }
}

const toKey = ({ commandId, callIndex }: Pick<InstallationRow, 'commandId' | 'callIndex'>) =>
  `${commandId}/${callIndex}`
