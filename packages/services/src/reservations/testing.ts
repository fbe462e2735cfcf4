import type { CommandNews } from '../pipeline/command-news.js'
import { decidePart } from '../pipeline/parts.js'
import type { Decision, InboundRecord } from '../pipeline/service.js'
import { decisionContext, later, type Place, placedRecord } from '../pipeline/testing.js'
import { reservationsPart } from './service.js'
import { expiryJob, type ReservationsState } from './state.js'

export { later, now } from '../pipeline/testing.js'

export const expiresAt = later(600)

/** The command of a reservation, by number. */
export const commandId = (number: number) => `01900000-0000-7000-8000-${String(number).padStart(12, '0')}`
export const transactionId = '01910000-0000-7000-8000-000000000001'

interface NewsOptions extends Place {
  command?: number
  sent?: Partial<{ reservationId: number; connectorId: number; idTag: string; parentIdTag: string; expiryDate: string }>
  status?: string
}

/** What became of a ReserveNow with id 7 for DRIVER on connector 1, until `expiresAt`, unless told otherwise. */
export function reserveNews(stage: CommandNews['stage'], options: NewsOptions = {}): InboundRecord {
  const { command = 1, sent, status } = options
  const payload = { reservationId: 7, connectorId: 1, idTag: 'DRIVER', expiryDate: expiresAt.toISOString(), ...sent }
  return newsRecord('ReserveNow', stage, payload, { ...options, command, ...(status !== undefined && { status }) })
}

export function cancelNews(stage: CommandNews['stage'], options: NewsOptions = {}): InboundRecord {
  const payload = { reservationId: 7, ...options.sent }
  return newsRecord('CancelReservation', stage, payload, { command: 99, ...options })
}

function newsRecord(action: string, stage: CommandNews['stage'], sent: object, options: NewsOptions): InboundRecord {
  const { command = 1, status } = options
  const news = { commandId: commandId(command), callIndex: 0, callCount: 1, action, stage, sent, requestedBy: 'key-1' }
  const response = status === undefined ? {} : { status }
  return placedRecord(
    { type: 'command-news', action, payload: { ...news, response } },
    { ...options, at: options.at ?? 1 },
  )
}

/** A transaction of DRIVER on connector 1. */
export function started(data: object = {}, place: Place = {}): InboundRecord {
  const at = place.at ?? 60
  return eventRecord(
    'transaction.started',
    {
      transactionId,
      evseNumber: 1,
      token: { value: 'DRIVER' },
      groupId: null,
      reservationId: null,
      startedAt: later(at).toISOString(),
      ...data,
    },
    { ...place, at },
  )
}

export function statusChanged(status: string, evseNumber = 1, place: Place = {}): InboundRecord {
  return eventRecord('station.status-changed', { evseNumber, connectorNumber: 1, status }, { at: 60, ...place })
}

function eventRecord(type: string, data: object, place: Place): InboundRecord {
  return placedRecord({ type: 'event', payload: { type: `busbar.${type}.v1`, data } as never }, place)
}

export function due(command = 1, place: Place = {}): InboundRecord {
  return placedRecord({ type: 'due', payload: { kind: expiryJob, key: commandId(command) } }, { at: 600, ...place })
}

/** Applies records in order; a record's time is the clock's. */
export function decideAll(state: ReservationsState, ...records: InboundRecord[]): Decision[] {
  return records.map((each) => decidePart(reservationsPart, each, state, decisionContext(each)))
}

/** The events of decisions, by type. */
export function eventsOf(decisions: readonly Decision[]): string[] {
  return decisions.flatMap(({ events = [] }) => events.map(({ type }) => type))
}
