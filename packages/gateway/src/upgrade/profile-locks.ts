import type { ProvenProfile } from '@busbar/backbone'
import type { StationRecord } from './station-directory.js'

const maxStations = 50_000

/**
 * What stations proved to this gateway, or to another that Redis told of. It binds at once: Postgres learns it only when
 * the word of the connection has been decided upon, and may be away; so may Redis.
 */
export class ProfileLocks {
  readonly #proven = new Map<string, ProvenProfile>()

  proved(stationId: string, proven: ProvenProfile): void {
    const before = this.#proven.get(stationId)
    this.#proven.delete(stationId)
    this.#proven.set(stationId, before && before.profile > proven.profile ? before : proven)
    if (this.#proven.size <= maxStations) return
    for (const oldest of this.#proven.keys()) {
      this.#proven.delete(oldest)
      return
    }
  }

  /** @returns 0 for what was proved before the operator last chose a profile */
  find({ id, profileSetAt }: Pick<StationRecord, 'id' | 'profileSetAt'>): number {
    const proven = this.#proven.get(id)
    if (!proven) return 0
    if (profileSetAt === null || profileSetAt.getTime() < proven.at) return proven.profile
    this.#proven.delete(id)
    return 0
  }
}
