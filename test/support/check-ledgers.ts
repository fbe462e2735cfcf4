import type { Ledger } from '@busbar/simulator'
import { untilDrained } from './log-ends.js'
import type { System } from './system.js'

export interface LedgerReport {
  sessions: number
  acknowledged: number
  /** Sessions whose energy in Postgres is not the station's, with both figures. */
  wrongEnergy: string[]
  /** Summed over all sessions, without sign. */
  differenceWh: number
  /** Acknowledged messages that Postgres does not hold. */
  missing: string[]
  /** Messages and sessions that Postgres holds more than once. */
  doubled: string[]
  /** Messages that a station gave up. */
  discarded: string[]
}

/** Holds what the stations were told against what Postgres holds, once the workers have read all that there is. */
export async function checkLedgers(
  system: System,
  stations: readonly { id: string; ledger: Ledger }[],
): Promise<LedgerReport> {
  const report: LedgerReport = {
    sessions: 0,
    acknowledged: 0,
    wrongEnergy: [],
    differenceWh: 0,
    missing: [],
    doubled: [],
    discarded: [],
  }
  await untilDrained(system)
  for (const { id, ledger } of stations) {
    await checkSessions(system, id, ledger, report)
    await checkMessages(system, id, ledger, report)
    await checkJournal(system, id, ledger, report)
    for (const { action } of ledger.discarded) report.discarded.push(`${id} ${action}`)
  }
  return report
}

async function checkSessions(system: System, id: string, ledger: Ledger, report: LedgerReport): Promise<void> {
  const { rows } = await system.database.query<{ ocpp_id: string; energy_wh: string | null; id: string }>(
    `SELECT a.ocpp_id, t.energy_wh, t.id FROM charging_transaction t
     JOIN transaction_alias a ON a.transaction_id = t.id WHERE t.station_id = $1`,
    [id],
  )
  const ended = ledger.sessions.filter(({ endedAt, transactionId }) => endedAt && transactionId)
  report.sessions += ended.length
  for (const { transactionId, meterStartWh, meterStopWh } of ended) {
    const row = rows.find(({ ocpp_id }) => ocpp_id === transactionId)
    const expected = (meterStopWh ?? 0) - meterStartWh
    report.differenceWh += Math.abs(Number(row?.energy_wh ?? 0) - expected)
    if (!row || Number(row.energy_wh) !== expected) {
      report.wrongEnergy.push(`${id} ${transactionId}: ${expected} at the station, ${row?.energy_wh} in Postgres`)
    }
  }
  const transactions = new Set(rows.map((row) => row.id)).size
  if (transactions > ended.length)
    report.doubled.push(`${id}: ${transactions} transactions of ${ended.length} sessions`)
}

async function checkMessages(system: System, id: string, ledger: Ledger, report: LedgerReport): Promise<void> {
  const { rows: readings } = await system.database.query<{ transaction: string; at: Date; count: number }>(
    `SELECT a.ocpp_id AS transaction, r.sampled_at AS at, count(DISTINCT r.reading)::int AS count FROM meter_reading r
     JOIN transaction_alias a ON a.transaction_id = r.transaction_id
     WHERE r.station_id = $1 GROUP BY 1, 2`,
    [id],
  )
  const { rows: steps } = await system.database.query<{ transaction: string; seq_no: number; count: number }>(
    `SELECT a.ocpp_id AS transaction, s.seq_no, count(*)::int AS count FROM transaction_step s
     JOIN transaction_alias a ON a.transaction_id = s.transaction_id
     WHERE s.station_id = $1 AND s.seq_no IS NOT NULL GROUP BY 1, 2`,
    [id],
  )
  const readingsAt = new Map(readings.map(({ transaction, at, count }) => [`${transaction} ${at.getTime()}`, count]))
  const stepsOf = new Map(steps.map(({ transaction, seq_no, count }) => [`${transaction} ${seq_no}`, count]))
  for (const { action, payload } of ledger.acknowledged) {
    const found = countOf(action, payload, readingsAt, stepsOf)
    if (found === 0) report.missing.push(`${id} ${action} ${JSON.stringify(payload)}`)
    if (found !== null && found > 1) report.doubled.push(`${id} ${action} ${JSON.stringify(payload)}`)
  }
}

/** Whatever was acknowledged stands in the journal; Heartbeats are only counted. */
async function checkJournal(system: System, id: string, ledger: Ledger, report: LedgerReport): Promise<void> {
  const told = ledger.acknowledged.filter(({ action }) => action !== 'Heartbeat')
  report.acknowledged += told.length
  const { rows } = await system.database.query<{ message_id: string }>(
    "SELECT message_id FROM journal_frame WHERE station_id = $1 AND direction = 'in' AND kind = 'call'",
    [id],
  )
  const kept = new Set(rows.map((row) => row.message_id))
  for (const { action, messageId } of told) {
    if (!kept.has(messageId)) report.missing.push(`${id} ${action} ${messageId}: not in the journal`)
  }
}

/** @returns how often Postgres holds the message; null for one that leaves no row of its own */
function countOf(
  action: string,
  payload: Record<string, unknown>,
  readingsAt: Map<string, number>,
  stepsOf: Map<string, number>,
): number | null {
  if (action === 'MeterValues') {
    const [{ timestamp }] = payload.meterValue as [{ timestamp: string }]
    return readingsAt.get(`${payload.transactionId} ${Date.parse(timestamp)}`) ?? 0
  }
  if (action === 'TransactionEvent') {
    const { transactionId } = payload.transactionInfo as { transactionId: string }
    return stepsOf.get(`${transactionId} ${payload.seqNo}`) ?? 0
  }
  return null
}
