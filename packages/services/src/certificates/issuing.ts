import { PkiError, parseCertificate } from '@busbar/pki'
import { mayReact } from '../pipeline/reactions.js'
import type { CommittedBatch, Decision, DecisionContext, InboundRecord, Ports } from '../pipeline/service.js'
import { deliver, subjectOf } from './delivery.js'
import type { CertificateIssuer, IssueRequest } from './issuer.js'
import { dayMs, jobOf, minuteMs } from './jobs.js'
import type { CertificateRow, CertificatesState } from './state.js'
import { selectRequests } from './statements.js'

export const issuedType = 'certificate-issued'

/** An authority that stays away so long needs a person. @see OCPP 1.6 security white paper A02, error handling */
const patienceMs = dayMs
/** The work itself is done after the commit (`issueAll`); this only sees to it that it comes again if it fails. */
export function issueWhenDue(id: string, state: CertificatesState, context: DecisionContext): Decision {
  const { now, station } = context
  const row = state.find(id)
  const job = jobOf('issue-certificate', { id, stationId: station.id }, new Date(now.getTime() + minuteMs))
  if (row?.status !== 'requested') return { jobs: { put: [], remove: [job] } }
  if (now.getTime() - row.requestedAt.getTime() < patienceMs) return { jobs: { put: [job], remove: [] } }
  return {
    ...fail(row, row.error ?? 'The certificate authority did not answer', state),
    jobs: { put: [], remove: [job] },
  }
}

/**
 * Asks the issuer for what fell due, and puts its word onto the lane: {certificateId, chain}, or {certificateId, error,
 * isFinal}. It is not waited for: an authority may take its time, and the lane may not. What is lost with this process is
 * asked for again by its job.
 */
export function createAsking(issuer: CertificateIssuer): (batch: CommittedBatch, ports: Ports) => Promise<void> {
  const asking = new Set<string>()
  const ask = async ({ id, stationId, ...request }: OpenRequest, { backbone }: Ports) => {
    const word = await wordOf(issuer, request)
    await backbone.log.append({
      topic: backbone.topics.lane('stations'),
      key: stationId,
      value: JSON.stringify({ certificateId: id, ...word }),
      headers: { type: issuedType, station: stationId },
    })
  }
  return async ({ decided }, ports) => {
    const ids = decided.flatMap(toDueRequests).filter((id) => !asking.has(id))
    if (ids.length === 0) return
    for (const request of await ports.database.query<OpenRequest>(selectRequests(ids))) {
      asking.add(request.id)
      void ask(request, ports)
        .catch((cause: unknown) =>
          ports.log.warn({ err: cause }, 'a certificate is asked for again when its job is due'),
        )
        .finally(() => asking.delete(request.id))
    }
  }
}

type OpenRequest = IssueRequest & { id: string; stationId: string }

function toDueRequests({ record, decision }: CommittedBatch['decided'][number]): string[] {
  if (record.type !== 'due' || record.payload.kind !== 'issue-certificate') return []
  return (decision.jobs?.put ?? []).flatMap(({ kind, key }) => (kind === 'issue-certificate' ? [key] : []))
}

async function wordOf(issuer: CertificateIssuer, request: IssueRequest): Promise<Word> {
  try {
    return { chain: await issuer.issue(request) }
  } catch (cause) {
    return { error: cause instanceof Error ? cause.message : String(cause), isFinal: cause instanceof PkiError }
  }
}

type Word = { chain: string } | { error: string; isFinal: boolean }

/** The authority's word. The certificate goes to the station once it has its answer, which an earlier call may hold up. */
export function takeIssued(
  { payload }: InboundRecord,
  state: CertificatesState,
  { station }: DecisionContext,
): Decision {
  const { certificateId, ...word } = payload as { certificateId: string } & Word
  const row = state.find(certificateId)
  if (row?.status !== 'requested') return {}
  const jobs = { put: [], remove: [jobOf('issue-certificate', { id: row.id, stationId: station.id }, new Date(0))] }
  if ('error' in word) {
    if (word.isFinal) return { ...fail(row, word.error, state), jobs }
    state.change(row, { error: word.error })
    return {}
  }
  const { chain } = word
  const { fingerprint, serialNumber, notBefore, notAfter } = parseCertificate(chain)
  state.change(row, { status: 'issued', chain, fingerprint, serialNumber, notBefore, notAfter, error: null })
  return { jobs, commands: [deliver({ ...row, chain }, 'the station asked for a certificate')] }
}

function fail(row: Readonly<CertificateRow>, error: string, state: CertificatesState): Decision {
  state.change(row, { status: 'failed', error })
  const data = { certificateId: row.id, error }
  return { events: [{ type: 'certificate.failed', subject: subjectOf(row), data }] }
}

/**
 * A certificate comes to its end. Once a day until there is a newer one: an event, and, where the operator switched it on
 * and the station is there, the wish that it asks for one.
 */
export function renewWhenDue(id: string, state: CertificatesState, { now, station }: DecisionContext): Decision {
  const row = state.find(id)
  const again = jobOf('renew-certificate', { id, stationId: station.id }, new Date(now.getTime() + dayMs))
  const isCurrent = row?.status === 'accepted' || row?.status === 'active'
  const isReplaced = row && state.ofStation(station.id, 'accepted').some((each) => each.requestedAt > row.requestedAt)
  if (!isCurrent || isReplaced || !row.notAfter || row.notAfter <= now) return { jobs: { put: [], remove: [again] } }
  const { switches, online } = state.station(station.id)
  const data = { certificateId: row.id, fingerprint: row.fingerprint, notAfter: row.notAfter }
  const asks = online && mayReact('certificate-renewal', switches)
  return {
    events: [{ type: 'certificate.expiring', subject: subjectOf(row), data }],
    commands: asks
      ? [
          {
            reaction: 'certificate-renewal',
            action: 'ExtendedTriggerMessage',
            payload: { requestedMessage: 'SignChargePointCertificate' },
            reason: 'its certificate ends soon',
            afterSequence: null,
          },
        ]
      : [],
    jobs: { put: [again], remove: [] },
  }
}
