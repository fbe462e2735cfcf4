import type { Sql } from '@busbar/store'
import type { AfterSequence } from '../pipeline/service.js'
import { upsertCertificates } from './statements.js'

/** A row of station_certificate. */
export interface CertificateRow {
  id: string
  stationId: string
  status: 'requested' | 'issued' | 'accepted' | 'rejected' | 'active' | 'superseded' | 'failed'
  csr: string
  chain: string | null
  fingerprint: string | null
  serialNumber: string | null
  error: string | null
  notBefore: Date | null
  notAfter: Date | null
  requestedAt: Date
  /** The call that asked for it last; null in rows of an older release. */
  askedBy: AfterSequence | null
  firstUsedAt: Date | null
}

/** What others know of a station. */
export interface StationRow {
  id: string
  serialNumber: string | null
  switches: Record<string, unknown>
  online: boolean
}

export interface CertificatesRows {
  /** Those of the stations that are not done with, and those that a record names. */
  certificates: readonly CertificateRow[]
  stations: readonly StationRow[]
  /** Requests of the last hour, by station. */
  recentRequests: ReadonlyMap<string, number>
  isIssuerReady: boolean
}

export class CertificatesState {
  readonly isIssuerReady: boolean
  readonly #certificates = new Map<string, CertificateRow>()
  readonly #stations: ReadonlyMap<string, StationRow>
  readonly #recentRequests: Map<string, number>
  readonly #changed = new Set<CertificateRow>()

  constructor({ certificates = [], stations = [], recentRequests, isIssuerReady = false }: Partial<CertificatesRows>) {
    for (const row of certificates) this.#certificates.set(row.id, { ...row })
    this.#stations = new Map(stations.map((row) => [row.id, row]))
    this.#recentRequests = new Map(recentRequests)
    this.isIssuerReady = isIssuerReady
  }

  station(id: string): StationRow {
    return this.#stations.get(id) ?? { id, serialNumber: null, switches: {}, online: false }
  }

  find(id: string): Readonly<CertificateRow> | undefined {
    return this.#certificates.get(id)
  }

  /** Newest first. */
  ofStation(stationId: string, ...statuses: CertificateRow['status'][]): Readonly<CertificateRow>[] {
    return [...this.#certificates.values()]
      .filter((row) => row.stationId === stationId && statuses.includes(row.status))
      .sort((a, b) => b.requestedAt.getTime() - a.requestedAt.getTime())
  }

  findByFingerprint(stationId: string, fingerprint: unknown): Readonly<CertificateRow> | undefined {
    return [...this.#certificates.values()].find(
      (row) => row.stationId === stationId && row.fingerprint !== null && row.fingerprint === fingerprint,
    )
  }

  recentRequests(stationId: string): number {
    return this.#recentRequests.get(stationId) ?? 0
  }

  add(row: CertificateRow): void {
    this.#certificates.set(row.id, row)
    this.#changed.add(row)
    this.#recentRequests.set(row.stationId, this.recentRequests(row.stationId) + 1)
  }

  change({ id }: Pick<CertificateRow, 'id'>, change: Partial<CertificateRow>): void {
    const row = this.#certificates.get(id)
    if (!row) throw new Error('a certificate that was not loaded')
    this.#changed.add(Object.assign(row, change))
  }

  save(): Sql[] {
    return this.#changed.size === 0 ? [] : [upsertCertificates([...this.#changed])]
  }
}
