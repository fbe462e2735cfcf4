import {
  deleteFrom,
  type IdTag,
  type ListChange,
  type Session,
  type Sql,
  selectFrom,
  selectListChanges,
  selectUsableIdTags,
  sql,
  upsertInto,
} from '@busbar/store'
import type { InboundRecord } from '../pipeline/service.js'
import { readChanges } from './authorization-data.js'
import { canBuildOn, type Entry, type LocalList, LocalListsState, type StationFacts } from './state.js'

const listColumns = {
  stationId: 'text',
  version: 'int4',
  state: 'text',
  known: 'bool',
  fullId: 'uuid',
  refusedId: 'uuid',
  fallback: 'text',
  updatedAt: 'timestamptz',
} as const
const entryColumns = {
  stationId: 'text',
  foldedTag: 'text',
  idTag: 'text',
  status: 'text',
  expiresAt: 'timestamptz',
  parentIdTag: 'text',
} as const

const selectLists = selectFrom('local_list', Object.keys(listColumns), { stationId: 'text' })
const selectEntries = selectFrom('local_list_entry', Object.keys(entryColumns), { stationId: 'text' })
const upsertLists = upsertInto('local_list', listColumns, ['stationId'])
const upsertEntries = upsertInto('local_list_entry', entryColumns, ['stationId', 'foldedTag'])
const deleteEntries = deleteFrom('local_list_entry', { stationId: 'text', foldedTag: 'text' })
const deleteLists = deleteFrom('local_list_entry', { stationId: 'text' })

const selectStations = sql(`
  SELECT s.id AS "stationId", s.switches, coalesce(t.online, false) AS online, t.registration, t.protocol
  FROM station s LEFT JOIN station_state t ON t.station_id = s.id WHERE s.id = ANY($1)`)

const selectMaxLengths = sql(`
  SELECT station_id AS "stationId", value FROM variable
  WHERE station_id = ANY($1) AND component_key = '' AND variable_key = 'localauthlistmaxlength'
    AND attribute_type = 'Actual'`)

/** The whole list that was asked for, however many CALLs it became. */
const selectRefused = sql('SELECT id, station_id AS "stationId", payload FROM command WHERE id = ANY($1::uuid[])')

interface RefusedRow {
  id: string
  stationId: string
  payload: InboundRecord['payload']
}

/**
 * One query per table, and of tokens and entries only what a list is about to be made of: nothing for an answer, what
 * differs for stations whose list is known.
 */
export async function loadLocalLists(session: Session, records: readonly InboundRecord[]): Promise<LocalListsState> {
  const stationIds = distinct(records.map(({ stationId }) => stationId))
  const [lists, stations] = await Promise.all([
    session.query<LocalList>(selectLists(stationIds.map((stationId) => ({ stationId })))),
    session.query<StationFacts>(selectStations(stationIds)),
  ])
  const listOf = new Map(lists.map((list) => [list.stationId, list]))
  const due = distinct(records.filter(({ type }) => type === 'due').map(({ stationId }) => stationId))
  const falling = distinct(
    records.filter(({ action }) => action === 'GetLocalListVersion').map(({ stationId }) => stationId),
  ).filter((id) => listOf.get(id)?.fallback === 'asked')
  if (due.length === 0 && falling.length === 0) return new LocalListsState({ lists, stations })

  const now = records[0]?.receivedAt ?? new Date()
  const building = due.filter((id) => canBuildOn(listOf.get(id) ?? { known: false, state: null }))
  const refusedIds = falling.flatMap((id) => listOf.get(id)?.refusedId ?? [])
  const [maxLengths, usableTags, changes, entries, refused] = await Promise.all([
    session.query<{ stationId: string; value: string | null }>(selectMaxLengths([...due, ...falling])),
    session.query<IdTag>(selectUsableIdTags(now)),
    building.length > 0 ? session.query<ListChange>(selectListChanges(building, now)) : [],
    falling.length > 0 ? session.query<Entry>(selectEntries(falling.map((stationId) => ({ stationId })))) : [],
    refusedIds.length > 0 ? session.query<RefusedRow>(selectRefused(refusedIds)) : [],
  ])
  return new LocalListsState({
    lists,
    stations,
    entries,
    changes,
    usableTags,
    maxLengths: new Map(maxLengths.flatMap(({ stationId, value }) => toLimit(stationId, value))),
    refused: new Map(refused.map(({ id, stationId, payload }) => [id, readChanges(stationId, payload, now)])),
  })
}

function toLimit(stationId: string, value: string | null): [string, number][] {
  const limit = Number(value?.trim() || Number.NaN)
  return Number.isInteger(limit) && limit >= 0 ? [[stationId, limit]] : []
}

const distinct = (ids: readonly string[]) => [...new Set(ids)]

export function saveLocalLists(state: LocalListsState): Sql[] {
  const changes = [...state.entryChanges]
  const replaced = changes.filter(([, { isReplaced }]) => isReplaced).map(([stationId]) => ({ stationId }))
  const rows = changes.flatMap(([stationId, { rows }]) =>
    [...rows].map(([foldedTag, entry]) => ({ stationId, foldedTag, entry })),
  )
  const removed = rows.filter(({ entry }) => entry === null)
  const kept = rows.flatMap(({ entry }) => entry ?? [])
  return [
    ...(state.changed.size > 0 ? [upsertLists([...state.changed])] : []),
    ...(replaced.length > 0 ? [deleteLists(replaced)] : []),
    ...(removed.length > 0 ? [deleteEntries(removed)] : []),
    ...(kept.length > 0 ? [upsertEntries(kept)] : []),
  ]
}
