import type { Job } from '@busbar/backbone'
import type { CertificateRow } from './state.js'

type JobKind = 'issue-certificate' | 'renew-certificate'

export function jobOf(kind: JobKind, { id, stationId }: Pick<CertificateRow, 'id' | 'stationId'>, dueAt: Date): Job {
  return { service: 'stations', kind, key: id, stationId, dueAt }
}

export const minuteMs = 60 * 1000
export const dayMs = 24 * 60 * minuteMs

/** "Will expire in one month": when stations begin of themselves. @see OCPP 1.6 security white paper A03.FR.02 */
const renewBeforeMs = 30 * dayMs

export function renewalTime({ notAfter }: Pick<CertificateRow, 'notAfter'>, now: Date): Date {
  return new Date(Math.max(now.getTime(), (notAfter ?? now).getTime() - renewBeforeMs))
}
