import type { Topics } from '@busbar/backbone'
import type { Decision, InboundRecord } from '../pipeline/service.js'

/**
 * For a record that knows more of a command than the books: they were set back, and its request is read again. Requests and
 * words travel on different topics, so nothing says which comes first. The record goes once to the end of the requests', and
 * is taken again behind all of them.
 */
export function behindRequests(record: InboundRecord, topics: Topics): Decision {
  if (isBehindRequests(record, topics)) return {}
  const { key, value, headers } = record.record
  return { records: [{ topic: topics.commands, key, value, headers }] }
}

/** Whether all requests that were asked before it have been read. */
export function isBehindRequests({ record }: InboundRecord, topics: Topics): boolean {
  return record.topic === topics.commands
}

/** What has a type came from the lane, to be taken behind the requests. */
export function isRequest(record: InboundRecord, topics: Pick<Topics, 'commands'>): boolean {
  return record.record.topic === topics.commands && !behindRequestsTypes.includes(record.type)
}

export const behindRequestsTypes: readonly string[] = ['outcome', 'due', 'follow-up']
