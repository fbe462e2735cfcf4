import { lacksZone, parseTimestamp, toDialect } from '@busbar/ocpp'
import { isStorableNumber } from '../pipeline/numbers.js'
import type { DecisionContext, EventDraft } from '../pipeline/service.js'
import type { ToleranceKind } from '../pipeline/tolerances.js'
import type { ConnectorRow, StationsState } from './state.js'

/** A connector in our own model: EVSE 0, connector 0 is the station; connector 0 of another EVSE that EVSE as a whole. */
export interface ConnectorPlace {
  evseNumber: number
  connectorNumber: number
}

/** A connector as the station's version names it. */
export interface WireAddress extends ConnectorPlace {
  /** Where it lies unless an operator grouped it otherwise. */
  place: ConnectorPlace
}

export interface ReportedStatus {
  /** As the station's version spells it. */
  status: string
  errorCode: string | null
  info: string | null
  vendorId: string | null
  vendorErrorCode: string | null
  /** The station's own time, not yet read. */
  timestamp: unknown
}

/** A station that invents connectors must not fill the table. */
const maxConnectors = 500

/** 1.6 connector n is EVSE n, connector 1; 0 is the station. */
export function address16(connectorId: number): WireAddress {
  const place = { evseNumber: connectorId, connectorNumber: connectorId === 0 ? 0 : 1 }
  return { evseNumber: 0, connectorNumber: connectorId, place }
}

export function address201(evseId: number, connectorId: number): WireAddress {
  const place = { evseNumber: evseId, connectorNumber: connectorId }
  return { ...place, place }
}

/**
 * Brings a reported status into the connector model, creating what the station has not named before.
 *
 * Ordered by min(station time, time of receipt): a report held back while offline never overwrites a newer one, and a
 * clock that runs ahead cannot block those after it. What is known from before the last boot gives way to anything: the
 * clock may have been set back, and a station reports anew when it booted. A late report changes nothing here; the journal holds it.
 * @returns the event, only when something changed
 */
export function reportStatus(
  address: WireAddress,
  reported: ReportedStatus,
  state: StationsState,
  context: DecisionContext,
): EventDraft[] {
  const connector = findOrAdd(address, state, context)
  if (!connector) return []
  const statusAt = orderingTime(reported.timestamp, context.record.receivedAt)
  if (connector.statusAt && connector.statusAt > statusAt && !isOfEarlierBoot(connector.statusAt, state, context)) {
    return []
  }

  const { status, errorCode, info, vendorId, vendorErrorCode } = reported
  const before = connector.status
  const said = { status, errorCode, info, vendorId, vendorErrorCode }
  const changed = Object.entries(said).some(([name, value]) => connector[name as keyof typeof said] !== value)
  state.changeConnector(connector, { ...said, statusAt })
  if (!changed) return []
  const { evseNumber, connectorNumber } = address.place
  return [
    {
      type: 'station.status-changed',
      subject: subjectOf(address.place),
      time: statusAt,
      data: { connectorId: connector.id, evseNumber, connectorNumber, previousStatus: before, ...said },
    },
  ]
}

function isOfEarlierBoot(statusAt: Date, state: StationsState, { station, record }: DecisionContext): boolean {
  const { lastBootAt } = state.stateOf(station.id)
  return lastBootAt !== null && statusAt < lastBootAt && record.receivedAt >= lastBootAt
}

/**
 * @returns null when the numbers cannot be of a connector, or the station has named more connectors than any has
 */
function findOrAdd(
  address: WireAddress,
  state: StationsState,
  { station, newId }: DecisionContext,
): ConnectorRow | null {
  const { evseNumber, connectorNumber, place } = address
  if (![evseNumber, connectorNumber, place.evseNumber].every(isNumber)) return null
  const wire = { stationId: station.id, protocol: toDialect(station.protocol), evseNumber, connectorNumber }
  const known = state.findAddress(wire)
  if (known) return known
  let connector = state.findConnector(station.id, place.evseNumber, place.connectorNumber)
  if (!connector) {
    if (state.connectorCount(station.id) >= maxConnectors) return null
    connector = state.addConnector(station.id, place.evseNumber, place.connectorNumber, newId)
  }
  state.addAddress({ ...wire, connectorId: connector.id })
  return connector
}

const isNumber = (value: number) => isStorableNumber(value) && value >= 0

/** 2.1 addresses connectors as 2.0.1 does: an update to it finds them all. */

/** A clock that was never set counts for nothing; 2020 is before any station of ours. */
const earliestMs = Date.UTC(2020, 0, 1)

function orderingTime(timestamp: unknown, receivedAt: Date): Date {
  const { at } = parseTimestamp(timestamp, receivedAt)
  return at > receivedAt || isUnset(at) ? receivedAt : at
}

const isUnset = (at: Date) => at.getTime() < earliestMs

/** What is let pass with a time as stations write it. */
export function timestampQuirks(timestamp: unknown, receivedAt: Date): ToleranceKind[] {
  if (timestamp === undefined) return []
  const { at, guessed } = parseTimestamp(timestamp, receivedAt)
  if (guessed) return ['timestamp-unreadable']
  if (isUnset(at)) return ['clock-unset']
  return lacksZone(timestamp) ? ['timestamp-without-zone'] : []
}

function subjectOf({ evseNumber, connectorNumber }: ConnectorPlace): string {
  if (evseNumber === 0) return 'station'
  return connectorNumber === 0 ? `evse/${evseNumber}` : `evse/${evseNumber}/connector/${connectorNumber}`
}
