import { type Session, type Sql, sql, upsertInto } from '@busbar/store'
import { commandNewsType, readNews } from '../pipeline/command-news.js'
import type { InboundRecord } from '../pipeline/service.js'
import { profileOf } from './settle.js'
import { type ClearRow, type ProfileRow, type ReportedRow, SmartChargingState, type TransactionFact } from './state.js'
import { carriesProfile } from './take-news.js'

/** One query per table; transactions after profiles, which name them. */
export async function loadSmartCharging(
  session: Session,
  records: readonly InboundRecord[],
): Promise<SmartChargingState> {
  const stationIds = [...new Set(records.map(({ stationId }) => stationId))]
  const commandIds = [...new Set(records.filter(isNews).map((record) => readNews(record).commandId))]
  // The books of an event or a job are open ones.
  const since = new Date(Math.min(...records.map(({ receivedAt }) => receivedAt.getTime())) - hourMs)
  const [profiles, clears, reported] = await Promise.all([
    session.query<ProfileRow>(selectProfiles(stationIds, since, commandIds)),
    session.query<ClearRow>(selectClears(stationIds, since, commandIds)),
    loadReported(session, records),
  ])
  const transactions = await loadTransactions(session, records, profiles, since)
  return new SmartChargingState({ profiles, clears, reported, transactions })
}

const hourMs = 3_600_000

const isNews = ({ type }: InboundRecord) => type === commandNewsType

async function loadReported(session: Session, records: readonly InboundRecord[]): Promise<ReportedRow[]> {
  const stations = records.filter((record) => isNews(record) && record.action === 'GetCompositeSchedule')
  if (stations.length === 0) return []
  return session.query<ReportedRow>(selectReported([...new Set(stations.map(({ stationId }) => stationId))]))
}

/**
 * Of open profiles and of those in the batch: the transactions they name, and where one names none or comes with a remote
 * start, all of the station that run or began since.
 */
async function loadTransactions(
  session: Session,
  records: readonly InboundRecord[],
  stored: readonly ProfileRow[],
  since: Date,
): Promise<TransactionFact[]> {
  const asked = records
    .filter((record) => isNews(record) && profileActions.has(record.action))
    .map((record) => {
      const { action, sent } = readNews(record)
      return { stationId: record.stationId, action, sent, transactionId: null, requestedAt: record.receivedAt }
    })
  const ofTransactions = [...stored, ...asked.filter(carriesProfile)].filter(
    (row) => profileOf(row).chargingProfilePurpose === 'TxProfile',
  )
  if (ofTransactions.length === 0) return []
  const named = ofTransactions.filter((row) => profileOf(row).transactionId !== undefined)
  const unnamed = ofTransactions.filter((row) => row.transactionId === null && !named.includes(row))
  const earliest = Math.min(since.getTime(), ...unnamed.map(({ requestedAt }) => requestedAt.getTime()))
  return session.query<TransactionFact>(
    selectTransactions(
      named.map(({ stationId }) => stationId),
      named.map((row) => String(profileOf(row).transactionId)),
      ofTransactions.flatMap(({ transactionId }) => transactionId ?? []),
      [...new Set(unnamed.map(({ stationId }) => stationId))],
      new Date(earliest),
    ),
  )
}

const profileActions = new Set(['SetChargingProfile', 'RemoteStartTransaction'])

const askedColumns = `command_id AS "commandId", station_id AS "stationId", sent, answer, requested_by AS "requestedBy",
  requested_at AS "requestedAt", answered_at AS "answeredAt"`

/** An answer may be as late as its command is old: what has ended since then may have to do with it. */
const since = `least($2::timestamptz, (SELECT min(asked.requested_at) FROM (
    SELECT requested_at FROM charging_profile WHERE command_id = ANY($3)
    UNION ALL SELECT requested_at FROM charging_profile_clear WHERE command_id = ANY($3)) asked))`

const selectProfiles = sql(`
  SELECT ${askedColumns}, action, status, transaction_id AS "transactionId", settled_at AS "settledAt"
  FROM charging_profile
  WHERE station_id = ANY($1) AND (settled_at IS NULL OR settled_at >= ${since}) OR command_id = ANY($3)`)

const selectClears = sql(`
  SELECT ${askedColumns} FROM charging_profile_clear
  WHERE station_id = ANY($1) AND requested_at >= ${since} OR command_id = ANY($3)`)

const selectReported = sql(`
  SELECT station_id AS "stationId", connector, command_id AS "commandId", sent, response, answered_at AS "answeredAt"
  FROM reported_schedule WHERE station_id = ANY($1)`)

/**
 * By our clock, as is all that it is held against: a station's may be off by hours. One that another took the place of on
 * its connector is over, though its Stop may never come.
 */
const heardOfEnd = `CASE WHEN t.ended_at IS NOT NULL OR 'superseded' = ANY(t.flags) THEN coalesce(
    least(
      (SELECT min(s.received_at) FROM transaction_step s WHERE s.transaction_id = t.id AND s.kind = 'StopTransaction'),
      (SELECT min(n.created_at) FROM charging_transaction n WHERE 'superseded' = ANY(t.flags)
        AND n.station_id = t.station_id AND n.created_at > t.created_at AND n.evse_number = t.evse_number)),
    t.ended_at) END`

const selectTransactions = sql(`
  WITH wanted AS (
    SELECT a.transaction_id AS id
    FROM transaction_alias a JOIN unnest($1::text[], $2::text[]) AS n(station_id, ocpp_id) USING (station_id, ocpp_id)
    UNION SELECT unnest($3::uuid[])
    UNION SELECT id FROM charging_transaction WHERE station_id = ANY($4) AND status = 'active'
    UNION SELECT id FROM charging_transaction WHERE station_id = ANY($4) AND created_at >= $5)
  SELECT t.id, t.station_id AS "stationId", t.evse_number AS connector, t.token_value AS "idTag",
    t.started_at AS "startedAt", ${heardOfEnd} AS "endedAt", t.created_at AS "createdAt",
    ARRAY(SELECT a.ocpp_id FROM transaction_alias a WHERE a.transaction_id = t.id) AS "ocppIds"
  FROM wanted JOIN charging_transaction t ON t.id = wanted.id`)

/** One statement per table. */
export function saveSmartCharging(state: SmartChargingState): Sql[] {
  const [profiles, clears, reported] = [state.profiles.changed(), state.clears.changed(), state.changedReported()]
  return [
    ...(profiles.length > 0 ? [upsertProfiles(profiles)] : []),
    ...(clears.length > 0 ? [upsertClears(clears)] : []),
    ...(reported.length > 0 ? [upsertReported(reported)] : []),
  ]
}

const asked = {
  commandId: 'uuid',
  stationId: 'text',
  sent: 'jsonb',
  answer: 'text',
  requestedBy: 'text',
  requestedAt: 'timestamptz',
  answeredAt: 'timestamptz',
} as const

const upsertProfiles = upsertInto(
  'charging_profile',
  { ...asked, action: 'text', status: 'text', transactionId: 'uuid', settledAt: 'timestamptz' },
  ['commandId'],
)

const upsertClears = upsertInto('charging_profile_clear', asked, ['commandId'])

const upsertReported = upsertInto(
  'reported_schedule',
  {
    stationId: 'text',
    connector: 'int4',
    commandId: 'uuid',
    sent: 'jsonb',
    response: 'jsonb',
    answeredAt: 'timestamptz',
  },
  ['stationId', 'connector'],
)
