import { type Dialect, type Payload, type Protocol, toDialect } from '@busbar/ocpp'
import { isObject } from '../pipeline/objects.js'

/** Names of counters; each counts on its own per station. */
export type CounterName =
  | 'requestId'
  | 'remoteStartId'
  | 'reservationId'
  | 'chargingProfileId'
  | 'displayMessageId'
  | 'listVersion'

export interface IdField {
  counter: CounterName
  /** An id belongs only where the objects above it are given. */
  path: readonly string[]
}

const requestId: IdField = { counter: 'requestId', path: ['requestId'] }

/** Ids the CSMS chooses, by action. */
const idFields: Readonly<Record<Dialect, Readonly<Record<string, readonly IdField[]>>>> = {
  'ocpp1.6': {
    GetLog: [requestId],
    RemoteStartTransaction: [{ counter: 'chargingProfileId', path: ['chargingProfile', 'chargingProfileId'] }],
    ReserveNow: [{ counter: 'reservationId', path: ['reservationId'] }],
    SendLocalList: [{ counter: 'listVersion', path: ['listVersion'] }],
    SetChargingProfile: [{ counter: 'chargingProfileId', path: ['csChargingProfiles', 'chargingProfileId'] }],
    SignedUpdateFirmware: [requestId],
  },
  'ocpp2.0.1': {
    CustomerInformation: [requestId],
    GetBaseReport: [requestId],
    GetChargingProfiles: [requestId],
    GetDisplayMessages: [requestId],
    GetLog: [requestId],
    GetMonitoringReport: [requestId],
    GetReport: [requestId],
    PublishFirmware: [requestId],
    RequestStartTransaction: [
      { counter: 'remoteStartId', path: ['remoteStartId'] },
      { counter: 'chargingProfileId', path: ['chargingProfile', 'id'] },
    ],
    ReserveNow: [{ counter: 'reservationId', path: ['id'] }],
    SendLocalList: [{ counter: 'listVersion', path: ['versionNumber'] }],
    SetChargingProfile: [{ counter: 'chargingProfileId', path: ['chargingProfile', 'id'] }],
    SetDisplayMessage: [{ counter: 'displayMessageId', path: ['message', 'id'] }],
    UpdateFirmware: [requestId],
  },
}

export function idFieldsOf(protocol: Protocol, action: string): readonly IdField[] {
  return idFields[toDialect(protocol)][action] ?? []
}

/** One station's counters. */
export interface Counters {
  /** The next id of this kind; never one given before, until the numbers start again. */
  next(counter: CounterName): number
  /** A caller named this id itself: later ones lie above it. */
  used(counter: CounterName, id: number): void
}

/** For checks that come before anything is counted. */
export const placeholders: Counters = { next: () => 1, used: () => {} }

/**
 * Fills in the ids a payload omits, and takes note of those it names.
 * @returns the payload itself when it omits none
 */
export function fillIds(protocol: Protocol, action: string, payload: Payload, counters: Counters): Payload {
  return idFieldsOf(protocol, action).reduce((filled, { counter, path }) => {
    const given = valueAt(filled, path)
    if (given.kind === 'no place') return filled
    if (given.kind === 'omitted') return setAt(filled, path, counters.next(counter))
    if (isId(given.value)) counters.used(counter, given.value)
    return filled
  }, payload)
}

/** Answers that tell the id a station has come to by itself. */
const reportedFields: Readonly<Record<Dialect, Readonly<Record<string, IdField>>>> = {
  'ocpp1.6': { GetLocalListVersion: { counter: 'listVersion', path: ['listVersion'] } },
  'ocpp2.0.1': { GetLocalListVersion: { counter: 'listVersion', path: ['versionNumber'] } },
}

export function reportsId(protocol: Protocol, action: string): boolean {
  return reportedFields[toDialect(protocol)][action] !== undefined
}

/** Lifts a counter to the id that an answer tells: the next one lies above it. */
export function noteReported(protocol: Protocol, action: string, response: Payload, counters: Counters): void {
  const field = reportedFields[toDialect(protocol)][action]
  if (!field) return
  const told = valueAt(response, field.path)
  if (told.kind === 'given' && isId(told.value)) counters.used(field.counter, told.value)
}

/** OCPP's integers have 32 bits. */
export const maxId = 2 ** 31 - 1

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= maxId
}

type Place = { kind: 'no place' } | { kind: 'omitted' } | { kind: 'given'; value: unknown }

function valueAt(payload: Payload, path: readonly string[]): Place {
  let value: unknown = payload
  for (const name of path) {
    if (!isObject(value)) return { kind: 'no place' }
    value = Object.hasOwn(value, name) ? value[name] : undefined
    if (value === undefined) return name === path.at(-1) ? { kind: 'omitted' } : { kind: 'no place' }
  }
  return { kind: 'given', value }
}

function setAt(payload: Payload, [name = '', ...rest]: readonly string[], value: unknown): Payload {
  return { ...payload, [name]: rest.length === 0 ? value : setAt(payload[name] as Payload, rest, value) }
}
