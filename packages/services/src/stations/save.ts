import type { Sql } from '@busbar/store'
import type { StationsState } from './state.js'
import * as statements from './statements.js'

/** What a batch changed: one statement per table, parents before children. */
export function saveStations(state: StationsState): Sql[] {
  const reporting = [...state.newParts]
  const lastPartAt = reporting.reduce<Date | null>((last, { receivedAt }) => later(last, receivedAt), null)
  return [
    ...write(state.changedStates, statements.upsertStates),
    ...write(state.newEvses, statements.insertEvses),
    ...write(state.changedConnectors, statements.upsertConnectors),
    ...write(state.newAddresses, statements.insertAddresses),
    ...write(state.changedVariables.values(), statements.upsertVariables),
    ...write(state.changedValues.values(), statements.upsertValues),
    ...write(state.finishedReports.values(), statements.deleteParts),
    ...write(state.newParts, statements.upsertParts),
    ...(lastPartAt
      ? [statements.deleteOldParts([...new Set(reporting.map((part) => part.stationId))], lastPartAt)]
      : []),
  ]
}

function write<Row>(rows: Iterable<Row>, statement: (rows: readonly Row[]) => Sql): Sql[] {
  const all = [...rows]
  return all.length > 0 ? [statement(all)] : []
}

const later = (first: Date | null, second: Date) => (first && first > second ? first : second)
