import {
  type CompositePeriod,
  type CompositeRequest,
  connectorSchedule,
  type RateUnit,
  type ScheduledTransaction,
  stationSchedule,
} from '@busbar/ocpp'
import type { Database } from '@busbar/store'
import { findInstalledProfiles, type InstalledProfile } from '../charging-books.js'

interface Wanted {
  stationId: string
  /** Of 1.6; 0 is the station. */
  connector: number
  from: Date
  durationSeconds: number
  unit: RateUnit | undefined
}

interface Reckoned {
  transactionId: string | null
  unit: RateUnit
  periods: { start: number; limit: number | null; phases: number | null }[]
}

interface RunningRow {
  id: string
  connector: number
  startedAt: Date
  ocppIds: string[]
}

/** From the profiles that the station has, and the transactions that run. */
export async function reckonSchedule(database: Database, wanted: Wanted): Promise<Reckoned> {
  const { stationId, connector, from, durationSeconds } = wanted
  const [profiles, running, connectors] = await Promise.all([
    findInstalledProfiles(database, stationId, from),
    findRunning(database, stationId),
    findConnectors(database, stationId),
  ])
  const request = { from, durationSeconds, unit: wanted.unit ?? unitOf(profiles) }
  const reckon = (number: number) => ofConnector(number, profiles, running.get(number) ?? null, request)
  const periods =
    connector > 0
      ? reckon(connector)
      : stationSchedule(profiles, [...new Set([...connectors, ...running.keys()])].map(reckon), request)
  return {
    transactionId: running.get(connector)?.id ?? null,
    unit: request.unit,
    periods: periods.map(({ startPeriod: start, limit, numberPhases: phases }) => ({ start, limit, phases })),
  }
}

function unitOf(profiles: readonly InstalledProfile[]): RateUnit {
  const units = new Set(profiles.map(({ profile }) => profile.chargingSchedule.chargingRateUnit))
  return units.size === 1 && units.has('W') ? 'W' : 'A'
}

/** A profile that came with the remote start names no transaction on the wire: it gets its id here. */
function ofConnector(
  connector: number,
  profiles: readonly InstalledProfile[],
  running: RunningRow | null,
  request: CompositeRequest,
): CompositePeriod[] {
  const ocppIds = running?.ocppIds.map(Number) ?? []
  const transaction: ScheduledTransaction | null = running && { ocppIds, startedAt: running.startedAt }
  const named = profiles.map((placed) => {
    const [transactionId] = placed.transactionId === running?.id ? ocppIds : []
    return transactionId === undefined ? placed : { ...placed, profile: { ...placed.profile, transactionId } }
  })
  return connectorSchedule(connector, named, transaction, request)
}

/** By connector; of several on one, the last that began. */
async function findRunning(database: Database, stationId: string): Promise<Map<number, RunningRow>> {
  const rows = await database.query<RunningRow>({
    name: 'running_transactions',
    text: `SELECT t.id, t.evse_number AS connector, t.started_at AS "startedAt",
             ARRAY(SELECT a.ocpp_id FROM transaction_alias a WHERE a.transaction_id = t.id) AS "ocppIds"
           FROM charging_transaction t
           WHERE t.station_id = $1 AND t.status = 'active' AND t.evse_number > 0 AND t.started_at IS NOT NULL
           ORDER BY t.started_at`,
    values: [stationId],
  })
  return new Map(rows.map((row) => [row.connector, row]))
}

/** 1.6 connector n is EVSE n; 0 is the station. */
async function findConnectors(database: Database, stationId: string): Promise<number[]> {
  const rows = await database.prisma.evse.findMany({
    where: { stationId, number: { gt: 0 } },
    select: { number: true },
  })
  return rows.map(({ number }) => number)
}
