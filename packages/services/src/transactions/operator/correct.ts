import { type ChargingTransaction, uncorrected } from '../transaction.js'
import type { OperatorRequest } from './request.js'

/**
 * Sets totals of a transaction that is over. They stand from then on, whatever the station still tells; a held one is held
 * no longer once its energy was looked at.
 * @returns why not
 */
export function correct(transaction: ChargingTransaction, { content }: OperatorRequest, askedAt: Date): string | null {
  if (transaction.status === 'orphan') return 'Nobody knows its start, so there is nothing to correct.'
  if (transaction.endedAt === null || transaction.startedAt === null) return 'It still runs; close it first.'
  const startedAt = content.startedAt ?? transaction.startedAt.toISOString()
  const endedAt = content.endedAt ?? transaction.endedAt.toISOString()
  if (new Date(endedAt) < new Date(startedAt)) return `It would end at ${endedAt}, before its start at ${startedAt}.`
  if (content.endedAt !== undefined && new Date(content.endedAt) > askedAt) return 'That end is still to come.'
  transaction.corrected = { ...(transaction.corrected ?? uncorrected), ...content }
  return null
}
