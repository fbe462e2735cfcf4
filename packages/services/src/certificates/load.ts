import type { Session } from '@busbar/store'
import { readNews } from '../pipeline/command-news.js'
import type { InboundRecord } from '../pipeline/service.js'
import { toFingerprint } from './delivery.js'
import type { CertificateIssuer } from './issuer.js'
import { type CertificateRow, CertificatesState, type StationRow } from './state.js'
import { countRequests, selectCertificates, selectStations } from './statements.js'

/** One query per table, and the issuer only where a station asks for a certificate. */
export async function loadCertificates(
  session: Session,
  records: readonly InboundRecord[],
  issuer: CertificateIssuer,
): Promise<CertificatesState> {
  const taken = records.filter((record) => record.type !== 'connected' || record.payload.certificateFingerprint)
  const stationIds = [...new Set(taken.map(({ stationId }) => stationId))]
  if (stationIds.length === 0) return new CertificatesState({})
  const requests = taken.filter(({ type }) => type === 'call')
  const fingerprints = taken.flatMap((record) => namedFingerprint(record) ?? [])
  const [certificates, stations, counts, isIssuerReady] = await Promise.all([
    session.query<CertificateRow>(selectCertificates(stationIds, fingerprints)),
    session.query<StationRow>(selectStations(stationIds)),
    requests.length === 0 ? [] : session.query<{ stationId: string; count: number }>(countStatement(requests)),
    requests.length > 0 && issuer.isReady(),
  ])
  const recentRequests = new Map(counts.map(({ stationId, count }) => [stationId, count]))
  return new CertificatesState({ certificates, stations, recentRequests, isIssuerReady })
}

function countStatement(requests: readonly InboundRecord[]) {
  const newest = Math.max(...requests.map(({ receivedAt }) => receivedAt.getTime()))
  return countRequests([...new Set(requests.map(({ stationId }) => stationId))], new Date(newest).toISOString())
}

function namedFingerprint(record: InboundRecord): string | null {
  if (record.type === 'command-news') return toFingerprint(readNews(record).sent.certificateChain)
  const { certificateFingerprint } = record.payload
  return typeof certificateFingerprint === 'string' ? certificateFingerprint : null
}
