import { addFlag, type ChargingTransaction, endAtLastReading } from '../transaction.js'
import type { OperatorRequest } from './request.js'

/**
 * Ends a transaction whose station never will, at its last reading unless the operator says when. The Stop that comes after
 * all still tells: what it changes is a correction.
 * @returns why not
 */
export function close(transaction: ChargingTransaction, { content }: OperatorRequest, askedAt: Date): string | null {
  const { startedAt, status } = transaction
  if (status === 'ended') return 'It has ended already.'
  if (startedAt === null) return 'Nobody knows its start, so there is nothing to close.'
  const endedAt = content.endedAt === undefined ? null : new Date(content.endedAt)
  if (endedAt && endedAt < startedAt) return `It started at ${startedAt.toISOString()}, which is after that end.`
  if (endedAt && endedAt > askedAt) return 'That end is still to come.'
  endAtLastReading(transaction)
  if (endedAt) transaction.endedAt = endedAt
  addFlag(transaction, 'closed')
  return null
}
