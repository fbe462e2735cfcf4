import type { OutgoingRecord, Topics } from '@busbar/backbone'
import { findAction, type Payload } from '@busbar/ocpp'
import { type CommandNews, toNewsRecord } from '../pipeline/command-news.js'
import { type Call, type Command, isComplete, payloadOf } from './command.js'

type Word = Pick<CommandNews, 'stage'> & { response?: Payload | null }

/** Tells the bookkeepers of a command's action what became of its CALLs. */
export function newsRecords(before: Command | null, after: Command, now: Date, topics: Topics): OutgoingRecord[] {
  const { id: commandId, stationId: id, protocol, action, requestedBy } = after
  const bookkeepers = protocol ? (findAction(protocol, action)?.bookkeepers ?? []) : []
  if (!protocol || bookkeepers.length === 0) return []
  return after.calls.flatMap((_, callIndex) =>
    newWords(before, after, callIndex).flatMap(({ stage, response }) => {
      const place = { commandId, callIndex, callCount: after.calls.length }
      const sent = payloadOf(after, callIndex)
      const news: CommandNews = { ...place, action, stage, sent, response: response ?? {}, requestedBy }
      return bookkeepers.map((service) => toNewsRecord(news, service, { id, protocol }, now, topics))
    }),
  )
}

function newWords(before: Command | null, after: Command, callIndex: number): Word[] {
  const earlier = before?.calls[callIndex]
  const call = after.calls[callIndex]
  if (!call || call.dispatchedAt === null) return []
  const isGivenUp = isComplete(after) && !(before && isComplete(before)) && call.outcome === null
  return [
    ...(earlier?.dispatchedAt ? [] : [{ stage: 'requested' } as const]),
    ...(call.outcome && !earlier?.outcome ? [{ stage: toStage(call), response: call.response ?? after.response }] : []),
    ...(call.late && !earlier?.late ? [{ stage: toStage(call.late), response: after.lateResponse }] : []),
    ...(isGivenUp ? [{ stage: 'unknown' } as const] : []),
  ]
}

const notDone: readonly unknown[] = ['error', 'expired', 'unsent']

/** An answer that breaks its schema says nothing. Channels that failed may have taken the CALL all the same. */
function toStage({ outcome, verdict, error }: Pick<Call, 'outcome' | 'verdict' | 'error'>): CommandNews['stage'] {
  if (outcome === 'result') return verdict ?? 'unknown'
  const hasNoReceiver = outcome === 'undeliverable' && error?.code === 'NotConnected'
  return hasNoReceiver || notDone.includes(outcome) ? 'failed' : 'unknown'
}
