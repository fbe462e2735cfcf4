import type { Database } from '@busbar/store'
import { findInstalledProfiles, type InstalledProfile } from '../charging-books.js'
import { loadSwitches } from '../routes/station-queries.js'
import type { ProfileDraft, ProfileUse } from './charging-profile.js'

export interface ProfileLimits {
  maxStackLevel: number | null
  maxPeriods: number | null
  maxInstalled: number | null
  /** Null: it has not said, or not so that we understand it. */
  units: readonly ('A' | 'W')[] | null
}

/** The transaction a draft names, if this station has it. */
export interface NamedTransaction {
  id: string
  /** As the station knows it. */
  ocppId: number
  connector: number | null
  startedAt: Date | null
  isOver: boolean
}

/** All that a profile is held against. */
export interface ProfileFacts {
  now: Date
  use: ProfileUse['use']
  connector: number | undefined
  limits: ProfileLimits
  /** Of the station, as the operator set them. */
  switches: Readonly<Record<string, unknown>>
  transaction: NamedTransaction | null
  installed: readonly InstalledProfile[]
}

export async function loadProfileFacts(
  draft: ProfileDraft,
  { database, station, now, use, connector }: ProfileUse,
): Promise<ProfileFacts> {
  const [limits, switches, transaction, installed] = await Promise.all([
    loadLimits(database, station.id),
    loadSwitches(database, station.id),
    findTransaction(database, station.id, draft),
    findInstalledProfiles(database, station.id, now),
  ])
  return { now, use, connector, limits, switches, transaction, installed }
}

/** @see OCPP 1.6 §9.4 */
const limitKeys = {
  maxStackLevel: 'chargeprofilemaxstacklevel',
  maxPeriods: 'chargingschedulemaxperiods',
  maxInstalled: 'maxchargingprofilesinstalled',
  units: 'chargingscheduleallowedchargingrateunit',
} as const

async function loadLimits(database: Database, stationId: string): Promise<ProfileLimits> {
  const rows = await database.query<{ key: string; value: string | null }>({
    name: 'charging_profile_limits',
    text: `SELECT variable_key AS key, value FROM variable
           WHERE station_id = $1 AND component_key = '' AND variable_key = ANY($2) AND attribute_type = 'Actual'`,
    values: [stationId, Object.values(limitKeys)],
  })
  const values = new Map(rows.map(({ key, value }) => [key, value]))
  const count = (key: string) => parseCount(values.get(key))
  return {
    maxStackLevel: count(limitKeys.maxStackLevel),
    maxPeriods: count(limitKeys.maxPeriods),
    maxInstalled: count(limitKeys.maxInstalled),
    units: parseUnits(values.get(limitKeys.units)),
  }
}

function parseCount(text: string | null | undefined): number | null {
  const digits = /^\D*(\d{1,9})\D*$/.exec(text ?? '')?.[1]
  return digits === undefined ? null : Number(digits)
}

const unitWords: Readonly<Record<string, 'A' | 'W'>> = {
  a: 'A',
  amp: 'A',
  ampere: 'A',
  amperes: 'A',
  amps: 'A',
  current: 'A',
  power: 'W',
  w: 'W',
  watt: 'W',
  watts: 'W',
}

/** The standard's words are Current and Power; stations also write units, quotes, brackets and blanks. */
function parseUnits(text: string | null | undefined): ('A' | 'W')[] | null {
  const words = (text ?? '').toLowerCase().match(/[a-z]+/g) ?? []
  const units = words.flatMap((word) => (Object.hasOwn(unitWords, word) ? [unitWords[word] as 'A' | 'W'] : []))
  return units.length === 0 ? null : [...new Set(units)]
}

interface TransactionRow {
  id: string
  ocppId: string | null
  connector: number | null
  startedAt: Date | null
  isOver: boolean
}

/** Never one of another station: its ids are the station's own (T13). */
async function findTransaction(
  database: Database,
  stationId: string,
  { transaction, transactionId }: ProfileDraft,
): Promise<NamedTransaction | null> {
  if (transaction === undefined && transactionId === undefined) return null
  const columns = `t.id, t.evse_number AS connector, t.started_at AS "startedAt", t.ended_at IS NOT NULL AS "isOver"`
  const [row] = await database.query<TransactionRow>(
    transaction === undefined
      ? {
          text: `SELECT a.ocpp_id AS "ocppId", ${columns}
                 FROM transaction_alias a JOIN charging_transaction t ON t.id = a.transaction_id
                 WHERE a.station_id = $1 AND a.ocpp_id = $2`,
          values: [stationId, String(transactionId)],
        }
      : {
          text: `SELECT t.ocpp_id AS "ocppId", ${columns} FROM charging_transaction t WHERE t.station_id = $1 AND t.id = $2`,
          values: [stationId, transaction],
        },
  )
  const ocppId = Number(row?.ocppId ?? Number.NaN)
  return row && Number.isInteger(ocppId) ? { ...row, ocppId } : null
}
