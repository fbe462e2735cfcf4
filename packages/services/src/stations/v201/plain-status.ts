import type { ReportedStatus } from '../connector-status.js'

/** 2.0.1 reports faults apart from the status, so these columns stay empty. */
export function plainStatus(status: string, timestamp: unknown): ReportedStatus {
  return { status, errorCode: null, info: null, vendorId: null, vendorErrorCode: null, timestamp }
}
