import type { AlertSettings } from './settings.js'

export type StationAlertKind = 'offline' | 'silent' | 'faulted' | 'stuck-transaction' | 'refused'
export type AlertKind = StationAlertKind | 'webhook-disabled'
export type Severity = 'warning' | 'critical'

/** What the tables say of one station now. */
export interface StationFacts {
  stationId: string
  /** Null for one that the operator deleted. */
  station: { heartbeatIntervalSeconds: number; switches: Readonly<Record<string, unknown>> } | null
  /** Null before it ever connected. */
  connection: {
    online: boolean
    registration: string | null
    connectedAt: Date | null
    disconnectedAt: Date | null
    /** The latest word of it, by any of its calls. */
    heardAt: Date | null
  } | null
  connectors: readonly {
    evseNumber: number
    connectorNumber: number
    status: string
    errorCode: string | null
    vendorErrorCode: string | null
    info: string | null
    statusAt: Date
  }[]
  /** Active ones. */
  transactions: readonly {
    id: string
    startedAt: Date | null
    evseNumber: number | null
    connectorNumber: number | null
    /** When it was last told of. */
    heardAt: Date
  }[]
  /** What gateways last told of attempts they refused. */
  refused: { reason: string; count: number; firstToldAt: string; lastAt: string } | null
}

/** Something that should not last. It is an alert from `dueAt`. */
export interface Condition {
  kind: AlertKind
  subject: string
  severity: Severity
  since: Date
  dueAt: Date
  details: object
}

/** Gateways gather Heartbeats for 5 minutes before they tell of them. */
const presenceLagMs = 330_000
/** A connector that is free for so long has no transaction. */
const freeConnectorMs = 15 * 60_000
/** Without another attempt it is over. */
const refusedQuietMs = 3_600_000
const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** All that is wrong with a station, whether or not for long enough. Nothing is wrong with one that was deleted. */
export function conditionsOf(facts: StationFacts, settings: AlertSettings, now: Date): Condition[] {
  if (!facts.station) return []
  return [
    ...(settings.offlineMinutes > 0 ? offline(facts, settings.offlineMinutes) : []),
    ...(settings.silentIntervals > 0 ? silent(facts, settings.silentIntervals) : []),
    ...(settings.faultedMinutes > 0 ? faulted(facts, settings.faultedMinutes) : []),
    ...(settings.stuckHours > 0 ? stuck(facts, settings.stuckHours) : []),
    ...(settings.refusedAttempts > 0 ? refused(facts, settings.refusedAttempts, now) : []),
  ]
}

function offline({ connection }: StationFacts, minutes: number): Condition[] {
  if (!connection || connection.online || !connection.disconnectedAt) return []
  const since = connection.disconnectedAt
  return [
    {
      kind: 'offline',
      subject: 'station',
      severity: 'critical',
      since,
      dueAt: plus(since, minutes * minuteMs),
      details: {},
    },
  ]
}

/** Its socket lives, and it says nothing: a station that was never accepted has nothing to say. */
function silent({ station, connection }: StationFacts, intervals: number): Condition[] {
  if (!station || !connection?.online || connection.registration !== 'Accepted') return []
  const since = latest(connection.heardAt, connection.connectedAt)
  if (!since) return []
  const { heartbeatIntervalSeconds } = station
  const dueAt = plus(since, intervals * heartbeatIntervalSeconds * 1_000 + presenceLagMs)
  return [
    { kind: 'silent', subject: 'station', severity: 'warning', since, dueAt, details: { heartbeatIntervalSeconds } },
  ]
}

function faulted({ connectors }: StationFacts, minutes: number): Condition[] {
  return connectors
    .filter(({ status }) => status === 'Faulted')
    .map(({ evseNumber, connectorNumber, statusAt: since, errorCode, vendorErrorCode, info }) => ({
      kind: 'faulted',
      subject: subjectOf(evseNumber, connectorNumber),
      severity: 'critical',
      since,
      dueAt: plus(since, minutes * minuteMs),
      details: { errorCode, vendorErrorCode, info },
    }))
}

/** Nothing was told of it for long, or its connector has been free since. */
function stuck({ transactions, connectors, connection }: StationFacts, hours: number): Condition[] {
  return transactions.map(({ id, startedAt, evseNumber, connectorNumber, heardAt }) => {
    const free = connectors.find(
      (each) =>
        each.status === 'Available' &&
        each.evseNumber === evseNumber &&
        each.connectorNumber === connectorNumber &&
        each.statusAt > heardAt,
    )
    const silentAt = plus(heardAt, hours * hourMs)
    // A station that is away tells of the end when it is back.
    const freeAt = free && connection?.online ? plus(free.statusAt, freeConnectorMs) : null
    const isFree = freeAt !== null && freeAt < silentAt
    return {
      kind: 'stuck-transaction',
      subject: id,
      severity: 'warning',
      since: isFree && free ? free.statusAt : heardAt,
      dueAt: isFree ? freeAt : silentAt,
      details: { transactionId: id, startedAt, reason: isFree ? 'connector-free' : 'no-word' },
    }
  })
}

/** Over once it came in, or tries no more. */
function refused({ refused, connection }: StationFacts, attempts: number, now: Date): Condition[] {
  if (!refused || refused.count < attempts) return []
  if (now.getTime() - Date.parse(refused.lastAt) > refusedQuietMs) return []
  if (connection?.connectedAt && connection.connectedAt.toISOString() >= refused.lastAt) return []
  const since = new Date(refused.firstToldAt)
  return [{ kind: 'refused', subject: 'station', severity: 'warning', since, dueAt: since, details: refused }]
}

/** As of the events of connectors. */
function subjectOf(evseNumber: number, connectorNumber: number): string {
  if (evseNumber === 0) return 'station'
  return connectorNumber === 0 ? `evse/${evseNumber}` : `evse/${evseNumber}/connector/${connectorNumber}`
}

const plus = (date: Date, ms: number) => new Date(date.getTime() + ms)
const latest = (first: Date | null, second: Date | null) => (first && (!second || first > second) ? first : second)
