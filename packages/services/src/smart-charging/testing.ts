import type { CommandNews } from '../pipeline/command-news.js'
import { decidePart } from '../pipeline/parts.js'
import type { Decision, InboundRecord } from '../pipeline/service.js'
import { decisionContext, later, now, type Place, placedRecord } from '../pipeline/testing.js'
import { dueJob } from './bring-up-to-date.js'
import { smartChargingPart } from './service.js'
import type { SmartChargingState, TransactionFact } from './state.js'

export { later, now } from '../pipeline/testing.js'

/** A UUID of version 7, made `at` seconds after `now`. */
export function commandId(at: number, number = 0): string {
  const hex = later(at).getTime().toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(number).padStart(12, '0')}`
}

export const transactionId = '01910000-0000-7000-8000-000000000001'

export interface ProfileOptions {
  id?: number
  connector?: number
  purpose?: 'ChargePointMaxProfile' | 'TxDefaultProfile' | 'TxProfile'
  level?: number
  transaction?: number
  validTo?: string
}

/** A TxDefaultProfile with id 1 on connector 1, level 0, unless told otherwise. */
function profile({ id = 1, purpose = 'TxDefaultProfile', level = 0, transaction, validTo }: ProfileOptions) {
  return {
    chargingProfileId: id,
    stackLevel: level,
    chargingProfilePurpose: purpose,
    chargingProfileKind: 'Relative',
    ...(transaction !== undefined && { transactionId: transaction }),
    ...(validTo !== undefined && { validTo }),
    chargingSchedule: { chargingRateUnit: 'A', chargingSchedulePeriod: [{ startPeriod: 0, limit: 6 }] },
  }
}

/** What was sent when, and what became of it. */
export interface Asked extends Place {
  /** Seconds after `now` when it was sent; the stage may be told later. */
  asked?: number
  number?: number
  /** Of the command, where it is not ours. */
  id?: string
}

export function news(
  action: string,
  stage: CommandNews['stage'],
  sent: object,
  { asked = 0, number = 0, id = commandId(asked, number), ...place }: Asked = {},
  response: object = {},
): InboundRecord {
  const payload = {
    ...{ commandId: id, callIndex: 0, callCount: 1 },
    ...{ action, stage, sent, response, requestedBy: 'key-1' },
  }
  const at = place.at ?? (stage === 'requested' ? asked : asked + 1)
  return placedRecord({ type: 'command-news', action, payload: payload as never }, { ...place, at })
}

export const setNews = (stage: CommandNews['stage'], options: ProfileOptions = {}, asked: Asked = {}) =>
  news(
    'SetChargingProfile',
    stage,
    { connectorId: options.connector ?? 1, csChargingProfiles: profile(options) },
    asked,
  )

/** Asked for and agreed to. */
export const set = (options: ProfileOptions = {}, asked: Asked = {}) => [
  setNews('requested', options, asked),
  setNews('accepted', options, asked),
]

export const clearNews = (stage: CommandNews['stage'], request: object, asked: Asked = {}) =>
  news('ClearChargingProfile', stage, request, asked)

export const clear = (request: object, asked: Asked = {}) => [
  clearNews('requested', request, asked),
  clearNews('accepted', request, asked),
]

/** For DRIVER on connector 1, unless told otherwise; null leaves the choice to the station. */
export const remoteNews = (
  stage: CommandNews['stage'],
  { connector = 1, ...options }: Omit<ProfileOptions, 'connector'> & { connector?: number | null } = {},
  asked: Asked = {},
) =>
  news(
    'RemoteStartTransaction',
    stage,
    {
      idTag: 'DRIVER',
      ...(connector !== null && { connectorId: connector }),
      chargingProfile: profile({ purpose: 'TxProfile', ...options }),
    },
    asked,
  )

/** Tells the service to look at the station; the transaction itself is in the state. */
export function transactionEvent(type: 'started' | 'ended', place: Place = {}): InboundRecord {
  return placedRecord({ type: 'event', payload: { type: `busbar.transaction.${type}.v1`, data: {} } as never }, place)
}

export function due(asked: number, place: Place): InboundRecord {
  return placedRecord({ type: 'due', payload: { kind: dueJob, key: commandId(asked) } }, place)
}

/** Of driver (in other letters) on connector 1, known as 4711, running since `now`, unless told otherwise. */
export function transaction(overrides: Partial<TransactionFact> = {}): TransactionFact {
  return {
    id: transactionId,
    stationId: 'CP-1',
    ocppIds: ['4711'],
    connector: 1,
    idTag: 'driver',
    startedAt: now,
    endedAt: null,
    createdAt: now,
    ...overrides,
  }
}

/** Applies records in order; a record's time is the clock's. */
export function decideAll(state: SmartChargingState, ...records: InboundRecord[]): Decision[] {
  return records.map((each) => decidePart(smartChargingPart, each, state, decisionContext(each)))
}

/** `profile id: status` of each command, in the order they were asked. */
export function books(state: SmartChargingState, station = 'CP-1'): string[] {
  return state.profiles
    .ofStation(station)
    .sort((a, b) => (a.commandId < b.commandId ? -1 : 1))
    .map(({ sent, status }) => {
      const { chargingProfileId } = (sent.csChargingProfiles ?? sent.chargingProfile) as { chargingProfileId: number }
      return `${chargingProfileId}: ${status}`
    })
}
