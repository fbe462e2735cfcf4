import { type Session, type Sql, selectFrom, upsertInto } from '@busbar/store'
import type { CommandNews } from '../../pipeline/command-news.js'
import { isStorableNumber } from '../../pipeline/numbers.js'
import type { Part } from '../../pipeline/parts.js'
import type { Decision, DecisionContext, InboundRecord } from '../../pipeline/service.js'
import { address16 } from '../connector-status.js'

/** A row of desired_availability: what was last asked for, and what the station said to that. */
export interface DesiredAvailability {
  stationId: string
  evseNumber: number
  connectorNumber: number
  operative: boolean
  outcome: 'requested' | 'accepted' | 'scheduled' | 'rejected' | 'failed' | 'unknown'
  commandId: string
  requestedAt: Date
  answeredAt: Date | null
}

/**
 * What is wanted of connectors, beside what the station reports: scheduled stays so until its transaction ends and the
 * reported status tells.
 * @see OCPP 1.6 §5.2
 */
export const availabilityPart: Part<AvailabilityBook> = {
  news: { ChangeAvailability: takeNews },
  load: async (session, records) => new AvailabilityBook(await load(session, records)),
  save: (book) => save(book),
}

export class AvailabilityBook {
  readonly changedRows = new Set<DesiredAvailability>()
  readonly #rows = new Map<string, DesiredAvailability>()

  constructor(rows: readonly DesiredAvailability[] = []) {
    for (const row of rows) this.#rows.set(keyOf(row), row)
  }

  find(place: Place): DesiredAvailability | null {
    return this.#rows.get(keyOf(place)) ?? null
  }

  put(row: DesiredAvailability): void {
    const known = this.#rows.get(keyOf(row))
    if (known) this.changedRows.delete(known)
    this.#rows.set(keyOf(row), row)
    this.changedRows.add(row)
  }
}

type Place = Pick<DesiredAvailability, 'stationId' | 'evseNumber' | 'connectorNumber'>
const keyOf = ({ stationId, evseNumber, connectorNumber }: Place) => [stationId, evseNumber, connectorNumber].join('\n')

function takeNews(news: CommandNews, book: AvailabilityBook, { station, record }: DecisionContext): Decision {
  const { connectorId, type } = news.sent
  if (!isStorableNumber(Number(connectorId)) || Number(connectorId) < 0) return {}
  const place = { stationId: station.id, ...address16(Number(connectorId)).place }
  if (news.stage === 'requested') {
    const wish = { operative: type === 'Operative', outcome: 'requested' as const, commandId: news.commandId }
    book.put({ ...place, ...wish, requestedAt: record.receivedAt, answeredAt: null })
    return {}
  }
  const wish = book.find(place)
  // An answer that comes late says nothing about what was asked since.
  if (wish?.commandId !== news.commandId) return {}
  book.put({ ...wish, outcome: outcomeOf(news), answeredAt: record.receivedAt })
  return {}
}

function outcomeOf({ stage, response }: CommandNews): DesiredAvailability['outcome'] {
  if (stage === 'accepted') return response.status === 'Scheduled' ? 'scheduled' : 'accepted'
  return stage
}

const place = { stationId: 'text', evseNumber: 'int4', connectorNumber: 'int4' } as const
const wish = {
  operative: 'bool',
  outcome: 'text',
  commandId: 'uuid',
  requestedAt: 'timestamptz',
  answeredAt: 'timestamptz',
} as const

const selectRows = selectFrom('desired_availability', [...Object.keys(place), ...Object.keys(wish)], {
  stationId: 'text',
})
const upsertRows = upsertInto('desired_availability', { ...place, ...wish }, [
  'stationId',
  'evseNumber',
  'connectorNumber',
])

function load(session: Session, records: readonly InboundRecord[]): Promise<DesiredAvailability[]> {
  const stationIds = [...new Set(records.map(({ stationId }) => stationId))]
  return session.query<DesiredAvailability>(selectRows(stationIds.map((stationId) => ({ stationId }))))
}

function save({ changedRows }: AvailabilityBook): Sql[] {
  return changedRows.size > 0 ? [upsertRows([...changedRows])] : []
}
