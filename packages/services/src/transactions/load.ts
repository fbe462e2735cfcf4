import { toDialect } from '@busbar/ocpp'
import { type Session, type Sql, selectFrom, sql } from '@busbar/store'
import type { InboundRecord } from '../pipeline/service.js'
import { needs } from './actions.js'
import { answeredNeeds } from './answered.js'
import { foldToken, type Token } from './authorization.js'
import type { Correction } from './correction.js'
import type { Needs, NeedsOf } from './needs.js'
import { operatorRequestType } from './operator/request.js'
import { operatorRequestNeeds } from './operator/take-request.js'
import { loadUnpacked } from './packing.js'
import { correctionColumns, stepColumns, transactionColumns } from './save.js'
import { type Alias, ChargingState, type Step } from './state.js'
import type { ChargingTransaction } from './transaction.js'

interface Request {
  record: InboundRecord
  needs: Needs
}

const selectTokens = sql(`
  SELECT t.id, t.value, t.folded_value AS "foldedValue", t.type, t.status, t.expires_at AS "expiresAt",
    t.group_id AS "groupId", coalesce(g.master_pass, false) AS "masterPass", t.max_transactions AS "maxTransactions",
    t.language
  FROM token t LEFT JOIN token_group g ON g.id = t.group_id
  WHERE t.folded_value = ANY($1)`)

// Of tokens with a limit only. A transaction whose station has booted since it last spoke of it is not counted.
const selectRunning = sql(`
  SELECT t.token_id AS "tokenId", t.id AS "transactionId"
  FROM charging_transaction t LEFT JOIN station_state s ON s.station_id = t.station_id
  WHERE t.token_id = ANY($1) AND t.status = 'active' AND NOT 'superseded' = ANY(t.flags)
    AND t.boot_count >= coalesce(s.boot_count, 0)`)

/** What the operator set, and how often it has booted; either may not be known yet. */
const selectStations = sql(`
  SELECT asked.id, s.switches, coalesce(t.boot_count, 0) AS "bootCount"
  FROM unnest($1::text[]) AS asked(id)
  LEFT JOIN station s ON s.id = asked.id LEFT JOIN station_state t ON t.station_id = asked.id`)

const selectAliases = selectFrom('transaction_alias', ['stationId', 'ocppId', 'transactionId'], {
  stationId: 'text',
  ocppId: 'text',
})

const selectCorrections = selectFrom('transaction_correction', Object.keys(correctionColumns), { id: 'uuid' })

const columns = Object.keys(transactionColumns)
  .map((name) => `t.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)} AS "${name}"`)
  .join(', ')

// By natural key, by id (of an alias or of a step), and what stations have open.
const selectTransactions = sql(`
  SELECT ${columns} FROM charging_transaction t WHERE t.id IN (
    SELECT id FROM charging_transaction WHERE natural_key = ANY($1)
    UNION SELECT unnest($2::uuid[])
    UNION SELECT id FROM charging_transaction
      WHERE station_id = ANY($3) AND status = 'active' AND NOT 'superseded' = ANY(flags))`)

const stepNames = Object.keys(stepColumns)
const selectSteps = selectFrom('transaction_step', stepNames, { transactionId: 'uuid', stepKey: 'text' })
const selectAnsweredSteps = selectFrom('transaction_step', stepNames, {
  stationId: 'text',
  connectionId: 'text',
  sequence: 'int8',
})

type StepRow = Omit<Step, 'sequence'> & { sequence: bigint }

interface StationRow {
  id: string
  switches: Record<string, unknown> | null
  bootCount: number
}

/**
 * Reads what the records of a batch need, one query per table (two where a row is found by what another row says).
 * A record that cannot be read needs nothing here; its decision says what is wrong with it.
 */
export async function loadState(session: Session, records: readonly InboundRecord[]): Promise<ChargingState> {
  const requests = records.map((record) => ({ record, needs: needsOf(record) }))
  const folded = unique(requests.flatMap(({ needs }) => needs.tokens ?? []).map(foldToken))
  const stations = unique(requests.map(({ record }) => record.stationId))
  const ocppIds = requests.flatMap(({ record, needs }) =>
    (needs.ocppIds ?? []).map((ocppId) => ({ stationId: record.stationId, ocppId })),
  )
  const answered = requests.flatMap(({ record: { stationId, connectionId }, needs }) =>
    needs.answeredSequence === undefined ? [] : [{ stationId, connectionId, sequence: needs.answeredSequence }],
  )
  const asked = requests.flatMap(({ needs: { request } }) => request ?? [])
  const read = <Result>(wanted: readonly unknown[], statement: () => Sql) =>
    wanted.length === 0 ? [] : session.query<Result>(statement())
  const [tokens, known, aliases, answeredSteps, corrections, unpacked] = await Promise.all([
    read<Token>(folded, () => selectTokens(folded)),
    read<StationRow>(stations, () => selectStations(stations)),
    read<Alias>(ocppIds, () => selectAliases(distinct(ocppIds))),
    read<StepRow>(answered, () => selectAnsweredSteps(distinct(answered))),
    read<Correction>(asked, () => selectCorrections(asked.map(({ id }) => ({ id })))),
    loadUnpacked(session, records),
  ])
  const bootCounts = new Map(known.map(({ id, bootCount }) => [id, bootCount]))
  const switches = new Map(known.flatMap(({ id, switches }) => (switches ? [[id, switches]] : [])))
  const limited = tokens.flatMap(({ id, maxTransactions }) => (maxTransactions === null ? [] : [id]))
  const [running, transactions] = await Promise.all([
    read<{ tokenId: string; transactionId: string }>(limited, () => selectRunning(limited)),
    loadTransactions(session, requests, bootCounts, [
      ...aliases.map(({ transactionId }) => transactionId),
      ...answeredSteps.map(({ transactionId }) => transactionId),
      ...asked.map(({ transactionId }) => transactionId),
    ]),
  ])
  const steps = await loadSteps(session, requests, bootCounts, transactions, aliases)
  return new ChargingState({
    ...{ tokens, running, bootCounts, switches, transactions, aliases, corrections, unpacked },
    steps: [...answeredSteps, ...steps].map(toStep),
  })
}

const recordNeeds: Readonly<Record<string, NeedsOf>> = {
  answered: answeredNeeds,
  [operatorRequestType]: operatorRequestNeeds,
}

function needsOf(record: InboundRecord): Needs {
  if (record.type !== 'call') return recordNeeds[record.type]?.(record) ?? {}
  const table = needs[toDialect(record.protocol)]
  const of = Object.hasOwn(table, record.action) ? table[record.action] : undefined
  if (!of) return {}
  try {
    return of(record)
  } catch {
    // The decision reads it again, and its error goes to the station instead of failing the whole batch.
    return {}
  }
}

async function loadTransactions(
  session: Session,
  requests: readonly Request[],
  bootCounts: ReadonlyMap<string, number>,
  ids: readonly string[],
): Promise<ChargingTransaction[]> {
  const keys = unique(requests.flatMap((request) => naturalKeyOf(request, bootCounts) ?? []))
  const stations = unique(requests.flatMap(({ record, needs }) => (needs.openTransactions ? [record.stationId] : [])))
  if (keys.length + ids.length + stations.length === 0) return []
  return await session.query<ChargingTransaction>(selectTransactions(keys, unique(ids), stations))
}

async function loadSteps(
  session: Session,
  requests: readonly Request[],
  bootCounts: ReadonlyMap<string, number>,
  transactions: readonly ChargingTransaction[],
  aliases: readonly Alias[],
): Promise<StepRow[]> {
  const byKey = new Map(transactions.map(({ naturalKey, id }) => [naturalKey, id]))
  const byAlias = new Map(
    aliases.map(({ stationId, ocppId, transactionId }) => [`${stationId}\n${ocppId}`, transactionId]),
  )
  const keys = requests.flatMap((request) => {
    const { record, needs } = request
    const { stepKey } = needs
    if (stepKey === undefined) return []
    const ids = [
      byKey.get(naturalKeyOf(request, bootCounts) ?? ''),
      ...(needs.ocppIds ?? []).map((ocppId) => byAlias.get(`${record.stationId}\n${ocppId}`)),
    ]
    return ids.flatMap((transactionId) => (transactionId === undefined ? [] : [{ transactionId, stepKey }]))
  })
  return keys.length === 0 ? [] : await session.query<StepRow>(selectSteps(distinct(keys)))
}

function naturalKeyOf({ record, needs }: Request, bootCounts: ReadonlyMap<string, number>): string | undefined {
  return needs.naturalKey?.(bootCounts.get(record.stationId) ?? 0)
}

function toStep(row: StepRow): Step {
  return { ...row, sequence: Number(row.sequence) }
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}

function distinct<Key extends object>(keys: readonly Key[]): Key[] {
  return [...new Map(keys.map((key) => [Object.values(key).join('\n'), key])).values()]
}
