import type { IdTag, ListChange } from '@busbar/store'
import type { DecisionContext, EventDraft } from '../pipeline/service.js'

/** What became of the last list sent. */
export type ListState = 'requested' | 'accepted' | 'failed' | 'version-mismatch' | 'not-supported' | 'unknown'

/** A row of local_list. */
export interface LocalList {
  stationId: string
  /** As the station said or agreed to: -1 not supported, 0 empty; null before it said any. */
  version: number | null
  state: ListState | null
  /** Whether the entries are all that is on the list. */
  known: boolean
  fullId: string | null
  refusedId: string | null
  fallback: 'asked' | 'done' | null
  updatedAt: Date
}

/** A row of local_list_entry; `status` of 1.6 in its own words. */
export type Entry = Omit<ListChange, 'status'> & { status: string }

/** What one item of localAuthorizationList does: it puts an entry on the list, or with null takes one off. */
export interface Change {
  foldedTag: string
  entry: Entry | null
}

/** What is known of a station besides its list. */
export interface StationFacts {
  stationId: string
  switches: Readonly<Record<string, unknown>>
  online: boolean
  registration: string | null
  protocol: string | null
}

export interface LocalListsRows {
  lists: readonly LocalList[]
  stations: readonly StationFacts[]
  /** Of stations that are to get a whole list made of what they had. */
  entries: readonly Entry[]
  /** Of stations that are to be brought into step: where their list differs from the tokens. */
  changes: readonly ListChange[]
  /** LocalAuthListMaxLength, by station. */
  maxLengths: ReadonlyMap<string, number>
  /** Where a list of them is to be made. */
  usableTags: readonly IdTag[]
  /** What refused differentials were to change, by command. */
  refused: ReadonlyMap<string, readonly Change[]>
}

/** A change of one station's entries: `null` takes one off. */
interface EntryChanges {
  /** The list was replaced: nothing stored before counts. */
  isReplaced: boolean
  rows: Map<string, Entry | null>
}

/** Lists of a batch, as loaded and as changed since. */
export class LocalListsState {
  readonly changed = new Set<LocalList>()
  readonly entryChanges = new Map<string, EntryChanges>()
  readonly rows: Readonly<Partial<LocalListsRows>>
  readonly #lists = new Map<string, LocalList>()
  readonly #stations: ReadonlyMap<string, StationFacts>

  constructor(rows: Partial<LocalListsRows> = {}) {
    this.rows = rows
    for (const list of rows.lists ?? []) this.#lists.set(list.stationId, list)
    this.#stations = new Map((rows.stations ?? []).map((station) => [station.stationId, station]))
  }

  station(stationId: string): StationFacts | undefined {
    return this.#stations.get(stationId)
  }

  list(stationId: string): Readonly<LocalList> {
    return this.#lists.get(stationId) ?? blankList(stationId)
  }

  /** @returns what leaves when this makes another list of it */
  change(stationId: string, change: Partial<LocalList>, { record }: DecisionContext): EventDraft[] {
    const before = this.list(stationId)
    const list: LocalList = { ...before, ...change, updatedAt: record.receivedAt }
    const earlier = this.#lists.get(stationId)
    if (earlier) this.changed.delete(earlier)
    this.#lists.set(stationId, list)
    this.changed.add(list)
    const { version, state, known } = list
    const isSame = version === before.version && state === before.state && known === before.known
    return isSame ? [] : [{ type: 'local-list.changed', subject: 'local-list', data: { version, state, known } }]
  }

  replaceEntries(stationId: string, rows: readonly Entry[]): void {
    this.entryChanges.set(stationId, { isReplaced: true, rows: new Map(rows.map((row) => [row.foldedTag, row])) })
  }

  changeEntries(stationId: string, rows: readonly Change[]): void {
    const changes = this.entryChanges.get(stationId) ?? { isReplaced: false, rows: new Map() }
    for (const { foldedTag, entry } of rows) changes.rows.set(foldedTag, entry)
    this.entryChanges.set(stationId, changes)
  }
}

function blankList(stationId: string): LocalList {
  return {
    stationId,
    version: null,
    state: null,
    known: false,
    fullId: null,
    refusedId: null,
    fallback: null,
    updatedAt: new Date(0),
  }
}

/** Whether changes can build on the entries: all of them are known, and no answer to a later list is missing. */
export function canBuildOn({ known, state }: Pick<LocalList, 'known' | 'state'>): boolean {
  return known && (state === null || state === 'accepted' || state === 'failed')
}

/** A command that was never handed out is no news; until then one that may still be under way counts as such. */
const underWayMs = 10 * 60_000

export function isUnderWay({ state, fallback, updatedAt }: LocalList, now: Date): boolean {
  return (state === 'requested' || fallback === 'asked') && now.getTime() - updatedAt.getTime() < underWayMs
}
