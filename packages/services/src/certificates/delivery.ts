import { PkiError, parseCertificate } from '@busbar/pki'
import type { CommandNews } from '../pipeline/command-news.js'
import type { CommandDraft, Decision, DecisionContext, EventDraft, InboundRecord } from '../pipeline/service.js'
import { jobOf, renewalTime } from './jobs.js'
import type { CertificateRow, CertificatesState } from './state.js'

/** Brings a certificate to its station. @see OCPP 1.6 security white paper §5.1 */
export function deliver({ chain, askedBy }: Pick<CertificateRow, 'chain' | 'askedBy'>, reason: string): CommandDraft {
  const payload = { certificateChain: chain }
  return { reaction: 'certificate-signed', action: 'CertificateSigned', payload, reason, afterSequence: askedBy }
}

/**
 * What became of a CertificateSigned. The old certificate stays good: only the first connection with the new one
 * retires it.
 */
export function takeDelivery(
  { sent, stage, response }: CommandNews,
  state: CertificatesState,
  { station, record }: DecisionContext,
): Decision {
  const row = state.findByFingerprint(station.id, toFingerprint(sent.certificateChain))
  if (!row || !(row.status === 'issued' || row.status === 'failed')) return {}
  const { id: certificateId, fingerprint, notAfter } = row
  const data = { certificateId, fingerprint, notAfter }
  const event = (type: EventDraft['type'], more: object = {}) => [
    { type, subject: subjectOf(row), data: { ...data, ...more } },
  ]
  switch (stage) {
    case 'accepted':
      state.change(row, { status: 'accepted', error: null })
      return {
        events: event('certificate.accepted'),
        jobs: { put: [jobOf('renew-certificate', row, renewalTime(row, record.receivedAt))], remove: [] },
      }
    case 'rejected':
      state.change(row, { status: 'rejected', error: `The station answered ${String(response.status)}` })
      return { events: event('certificate.rejected') }
    case 'failed': {
      const error = 'It could not be delivered'
      state.change(row, { status: 'failed', error })
      return { events: event('certificate.failed', { error }) }
    }
    default:
      return {}
  }
}

/** The first connection that proves itself with a certificate makes it the station's, and retires those before it. */
export function takeFirstUse(
  { payload, receivedAt }: InboundRecord,
  state: CertificatesState,
  { station }: DecisionContext,
): Decision {
  const row = state.findByFingerprint(station.id, payload.certificateFingerprint)
  if (!row || row.firstUsedAt || row.status === 'superseded') return {}
  const older = state
    .ofStation(station.id, 'active', 'accepted')
    .filter((each) => each.id !== row.id && each.requestedAt <= row.requestedAt)
  for (const each of older) state.change(each, { status: 'superseded' })
  state.change(row, { status: 'active', firstUsedAt: receivedAt, error: null })
  const { id: certificateId, fingerprint, notAfter } = row
  return {
    events: [
      { type: 'certificate.activated', subject: subjectOf(row), data: { certificateId, fingerprint, notAfter } },
    ],
    jobs: {
      put: [jobOf('renew-certificate', row, renewalTime(row, receivedAt))],
      remove: older.map((each) => jobOf('renew-certificate', each, receivedAt)),
    },
  }
}

export const subjectOf = ({ id }: Pick<CertificateRow, 'id'>) => `certificate/${id}`

/** Of the leaf, by which a certificate is known; null for what is none. */
export function toFingerprint(chain: unknown): string | null {
  if (typeof chain !== 'string') return null
  try {
    return parseCertificate(chain).fingerprint
  } catch (cause) {
    if (cause instanceof PkiError) return null
    throw cause
  }
}
