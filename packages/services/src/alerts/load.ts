import type { Session } from '@busbar/store'
import type { InboundRecord } from '../pipeline/service.js'
import type { StationFacts } from './conditions.js'
import type { Alert } from './settle.js'
import { AlertsState, lookJob } from './state.js'
import {
  selectConnectors,
  selectLastFrames,
  selectLooks,
  selectOpenAlerts,
  selectStations,
  selectTransactions,
} from './statements.js'

interface StationRow {
  stationId: string
  /** Null for one that was deleted. */
  heartbeatIntervalSeconds: number | null
  switches: Record<string, unknown> | null
  /** Null for one that never connected. */
  online: boolean | null
  registration: string | null
  connectedAt: Date | null
  disconnectedAt: Date | null
  heardAt: Date | null
}

type OfStation<Row> = Row & { stationId: string }

/** A frame is looked for no further back. */
const longestSilenceMs = 7 * 86_400_000

/**
 * What the tables say of the stations of a batch, whatever its records tell: they are younger than the events, whose
 * writers have committed. One query a table; of frames only for stations that have sent no Heartbeat of late.
 */
export async function loadAlerts(session: Session, records: readonly InboundRecord[], now: Date): Promise<AlertsState> {
  const ids = [...new Set(records.filter(isOfStation).map(({ stationId }) => stationId))]
  const hasOthers = records.some((record) => !isOfStation(record))
  const [stations, connectors, transactions, open, looks] = await Promise.all([
    session.query<StationRow>(selectStations(ids)),
    session.query<OfStation<StationFacts['connectors'][number]>>(selectConnectors(ids)),
    session.query<OfStation<StationFacts['transactions'][number]>>(selectTransactions(ids)),
    session.query<Alert>(selectOpenAlerts(ids, hasOthers)),
    session.query<{ stationId: string; dueAt: Date }>(selectLooks(ids, lookJob)),
  ])
  const heardAt = await findLastFrames(session, stations, now)
  const connectorsOf = groupByStation(connectors)
  const transactionsOf = groupByStation(transactions)
  const facts = stations.map((row) => ({
    ...toFacts(row, heardAt.get(row.stationId) ?? null),
    connectors: connectorsOf.get(row.stationId) ?? [],
    transactions: transactionsOf.get(row.stationId) ?? [],
  }))
  return new AlertsState(facts, open, looks)
}

/** Webhooks have ids of their own. */
export const isOfStation = ({ type, payload }: InboundRecord) =>
  type !== 'event' || !String(payload.type).startsWith('busbar.webhook.')

async function findLastFrames(
  session: Session,
  stations: readonly StationRow[],
  now: Date,
): Promise<Map<string, Date>> {
  const quiet = stations.filter((row) => row.online && isQuiet(row, now))
  if (quiet.length === 0) return new Map()
  const rows = await session.query<{ stationId: string; at: Date }>(
    selectLastFrames(
      quiet.map(({ stationId }) => stationId),
      new Date(now.getTime() - longestSilenceMs).toISOString(),
    ),
  )
  return new Map(rows.map(({ stationId, at }) => [stationId, at]))
}

const isQuiet = ({ heardAt, heartbeatIntervalSeconds }: StationRow, now: Date) =>
  now.getTime() - (heardAt?.getTime() ?? 0) > (heartbeatIntervalSeconds ?? 0) * 1_000

function toFacts(
  row: StationRow,
  frameAt: Date | null,
): Pick<StationFacts, 'stationId' | 'station' | 'connection' | 'refused'> {
  const { stationId, heartbeatIntervalSeconds, switches, online, registration, connectedAt, disconnectedAt } = row
  const heardAt = frameAt && (!row.heardAt || frameAt > row.heardAt) ? frameAt : row.heardAt
  return {
    stationId,
    station: heartbeatIntervalSeconds === null ? null : { heartbeatIntervalSeconds, switches: switches ?? {} },
    connection: online === null ? null : { online, registration, connectedAt, disconnectedAt, heardAt },
    refused: null,
  }
}

function groupByStation<Row extends { stationId: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) groups.set(row.stationId, [...(groups.get(row.stationId) ?? []), row])
  return groups
}
