/** Header `type` of such a record on the lane. */
export const operatorRequestType = 'operator-request'

/** What an operator decides about a transaction, as it lies on the lane. The API has checked its shape. */
export interface OperatorRequest {
  id: string
  transactionId: string
  kind: 'close' | 'correct'
  /** Times as ISO 8601 in UTC; what is not named stays. */
  content: { startedAt?: string; endedAt?: string; energyWh?: number }
  reason: string
  /** As the audit log names who asked. */
  actor: string
}
