import type { OutgoingRecord, Topics } from '@busbar/backbone'
import type { Payload, Protocol, ServiceName } from '@busbar/ocpp'
import type { InboundRecord } from './service.js'

/**
 * What became of one CALL of a command, told to the services whose books follow it (`bookkeepers` of the actions table):
 * a record of type `command-news` on their lane, in the order of things, whoever sent the command.
 */
export interface CommandNews {
  commandId: string
  callIndex: number
  /** How many CALLs the command has. */
  callCount: number
  action: string
  /**
   * requested: it is on its way. accepted, rejected: the station's answer, one that came after the verdict included.
   * failed: the station has not done it and will not: a CALLERROR, or never sent. unknown: nobody can say, for now.
   */
  stage: 'requested' | 'accepted' | 'rejected' | 'failed' | 'unknown'
  /** Secrets sealed. */
  sent: Payload
  /** Secrets masked; {} where the station gave no answer. */
  response: Payload
  /** Whoever asked: an API key's id or a service's name. */
  requestedBy: string
}

export const commandNewsType = 'command-news'

export function toNewsRecord(
  news: CommandNews,
  to: ServiceName,
  station: { id: string; protocol: Protocol },
  at: Date,
  topics: Topics,
): OutgoingRecord {
  return {
    topic: topics.lane(to),
    key: station.id,
    value: JSON.stringify(news),
    headers: {
      type: commandNewsType,
      station: station.id,
      protocol: station.protocol,
      action: news.action,
      receivedAt: at.toISOString(),
    },
  }
}

/** Of a record of type `command-news`; nobody but the commands service writes one. */
export function readNews(record: InboundRecord): CommandNews {
  return record.payload as unknown as CommandNews
}
