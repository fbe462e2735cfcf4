import type { Session } from '@busbar/store'
import { commandNewsType } from '../pipeline/command-news.js'
import { isStorableNumber } from '../pipeline/numbers.js'
import type { InboundRecord } from '../pipeline/service.js'
import {
  type AddressRow,
  type ConnectorRow,
  type EvseRow,
  type PartNumber,
  type ReportPartRow,
  type StationPolicy,
  type StationStateRow,
  StationsState,
  toKey,
} from './state.js'
import * as statements from './statements.js'

const statusActions = new Set(['StatusNotification', 'NotifyEvent'])

/** One query per table that the batch touches. */
export async function loadStations(session: Session, records: readonly InboundRecord[]): Promise<StationsState> {
  const policyIds = distinct(records.filter(touchesState).map((record) => record.stationId))
  const statusIds = distinct(
    records.filter((record) => statusActions.has(record.action)).map((record) => record.stationId),
  )
  const reports = records.filter((record) => record.action === 'NotifyReport')
  const stateIds = distinct([...policyIds, ...statusIds])
  const read = async <Row>(ids: string[], statement: (ids: string[]) => { text: string; values: unknown[] }) =>
    ids.length === 0 ? [] : session.query<Row>(statement(ids))
  const [policies, states, evses, connectors, addresses, stored] = await Promise.all([
    read<StationPolicy>(policyIds, statements.selectPolicies),
    read<StationStateRow>(stateIds, statements.selectStates),
    read<EvseRow>(statusIds, statements.selectEvses),
    read<ConnectorRow>(statusIds, statements.selectConnectors),
    read<AddressRow>(statusIds, statements.selectAddresses),
    read<PartNumber>(distinct(reports.map(({ stationId }) => stationId)), (ids) =>
      statements.selectPartNumbers(ids, reports[0]?.receivedAt),
    ),
  ])
  const whole = findWholeReports(reports, stored)
  const parts = whole.length === 0 ? [] : await session.query<ReportPartRow>(statements.selectParts(whole))
  const storedParts = countBy(stored, ({ stationId }) => stationId)
  return new StationsState({ policies, states, evses, connectors, addresses, parts, storedParts })
}

/** Reports that may become whole with this batch, so that what their parts say is needed. */
function findWholeReports(
  records: readonly InboundRecord[],
  stored: readonly PartNumber[],
): { stationId: string; requestId: number }[] {
  const reports = new Map<string, PartNumber[]>()
  for (const { stationId, payload } of records) {
    const { requestId, seqNo, tbc } = payload as { requestId: number; seqNo: number; tbc?: boolean }
    const parts = reports.get(toKey(stationId, requestId)) ?? []
    reports.set(toKey(stationId, requestId), [...parts, { stationId, requestId, seqNo, toBeContinued: tbc ?? false }])
  }
  for (const part of stored) reports.get(toKey(part.stationId, part.requestId))?.push(part)
  return [...reports.values()].flatMap((parts) => {
    const [first] = parts
    return first && isStorableNumber(first.requestId) && mayBeWhole(parts) ? [first] : []
  })
}

/** Parts may come twice and differ in being the last one, so any that claims to be counts. */
function mayBeWhole(parts: readonly PartNumber[]): boolean {
  const seqNos = new Set(parts.map(({ seqNo }) => seqNo))
  let missing = 0
  while (seqNos.has(missing)) missing++
  return parts.some(({ seqNo, toBeContinued }) => !toBeContinued && seqNo < missing)
}

function countBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1)
  return counts
}

/** Only connections and boots change a station's row, and for status reports its last boot counts. */
function touchesState(record: InboundRecord): boolean {
  return record.type === 'call' ? record.action === 'BootNotification' : record.type !== commandNewsType
}

const distinct = (ids: string[]) => [...new Set(ids)]
