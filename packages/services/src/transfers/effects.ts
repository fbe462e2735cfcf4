import type { OutgoingRecord } from '@busbar/backbone'
import type { Decision, DecisionContext, EventDraft } from '../pipeline/service.js'
import type { Transfer, TransferState } from './transfer.js'

/** Events, and word for the command that asked: only what is new, however often it is said. */
export function toEffects(before: Transfer | null, after: Transfer, context: DecisionContext): Decision {
  const isNew = before?.state !== after.state || before.history.length !== after.history.length
  if (!isNew) return {}
  const moved = before?.state !== after.state
  return {
    events: [toEvent('transfer.updated', after), ...(moved ? firmwareEvents(after) : [])],
    records: moved ? followUps(after, context) : [],
  }
}

function firmwareEvents(transfer: Transfer): EventDraft[] {
  if (transfer.kind !== 'firmware' && transfer.kind !== 'signed-firmware') return []
  if (transfer.state === 'succeeded') return [toEvent('firmware.installed', transfer)]
  return transfer.state === 'failed' ? [toEvent('firmware.failed', transfer)] : []
}

function toEvent(type: EventDraft['type'], { id, kind, commandId, requestId, state, history }: Transfer): EventDraft {
  const status = history.at(-1)?.status ?? null
  return { type, subject: `transfer/${id}`, data: { transferId: id, kind, commandId, requestId, state, status } }
}

const followUpOf: Partial<Record<TransferState, 'complete' | 'failed' | 'incomplete'>> = {
  succeeded: 'complete',
  'nothing-to-send': 'complete',
  failed: 'failed',
  superseded: 'incomplete',
}

/** A record `follow-up` on the lane of the commands service: {type: 'transfer', commandId, followUp}. */
function followUps({ commandId, state }: Transfer, { station, record, topics }: DecisionContext): OutgoingRecord[] {
  const followUp = followUpOf[state]
  if (!followUp || commandId === null) return []
  const headers = {
    type: 'follow-up',
    station: station.id,
    receivedAt: record.receivedAt.toISOString(),
    protocol: station.protocol,
  }
  const value = JSON.stringify({ type: 'transfer', commandId, followUp })
  return [{ topic: topics.outcomes, key: station.id, value, headers }]
}
