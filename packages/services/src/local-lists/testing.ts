import type { CommandNews } from '../pipeline/command-news.js'
import { decidePart } from '../pipeline/parts.js'
import type { Decision, InboundRecord } from '../pipeline/service.js'
import { decisionContext, placedRecord } from '../pipeline/testing.js'
import { localListsPart } from './part.js'
import type { LocalListsState, StationFacts } from './state.js'
import { syncJob } from './sync.js'

export { later, now } from '../pipeline/testing.js'

export const commandId = (number: number) => `01900000-0000-7000-8000-${String(number).padStart(12, '0')}`

/** One item of localAuthorizationList. */
export const on = (idTag: string, rest: object = {}) => ({ idTag, idTagInfo: { status: 'Accepted', ...rest } })
export const off = (idTag: string) => ({ idTag })

interface NewsOptions {
  command?: number
  station?: string
  at?: number
  /** Of the answer. */
  status?: string
  requestedBy?: string
  callIndex?: number
}

export function listNews(
  stage: CommandNews['stage'],
  sent: { mode?: 'Full' | 'Differential'; version: number; items?: object[] },
  options: NewsOptions = {},
): InboundRecord {
  const { mode = 'Full', version, items = [] } = sent
  const payload = { updateType: mode, listVersion: version, localAuthorizationList: items }
  const response = options.status === undefined ? {} : { status: options.status }
  return newsRecord('SendLocalList', stage, payload, response, options)
}

export function versionNews(
  stage: CommandNews['stage'],
  listVersion: number | null = null,
  options: NewsOptions = {},
): InboundRecord {
  const response = listVersion === null ? {} : { listVersion }
  return newsRecord('GetLocalListVersion', stage, {}, response, { command: 50, ...options })
}

function newsRecord(
  action: string,
  stage: CommandNews['stage'],
  sent: object,
  response: object,
  { command = 1, station = 'CP-1', at = 0, requestedBy = 'key-1', callIndex = 0 }: NewsOptions,
): InboundRecord {
  const news = { commandId: commandId(command), callIndex, callCount: 1, action, stage, sent, response, requestedBy }
  return placedRecord({ type: 'command-news', action, payload: news as never }, { station, at })
}

export function due(station = 'CP-1', at = 0): InboundRecord {
  return placedRecord({ type: 'due', payload: { kind: syncJob, key: `${station}/1` } }, { station, at })
}

export const connected = (station = 'CP-1') => placedRecord({ type: 'connected' }, { station })

export function facts(overrides: Partial<StationFacts> = {}): StationFacts {
  return {
    stationId: 'CP-1',
    switches: { localListFallback: true, localListSync: true },
    online: true,
    registration: 'Accepted',
    protocol: 'ocpp1.6',
    ...overrides,
  }
}

/** Applies records in order; a record's time is the clock's. */
export function decideAll(state: LocalListsState, ...records: InboundRecord[]): Decision[] {
  return records.map((each) => decidePart(localListsPart, each, state, decisionContext(each)))
}

export function commandsOf(decisions: readonly Decision[]) {
  return decisions.flatMap(({ commands = [] }) => commands)
}

/** What the list holds after the changes of a batch, over what was stored. */
export function heldTags(state: LocalListsState, stored: readonly string[] = [], station = 'CP-1'): string[] {
  const changes = state.entryChanges.get(station)
  const tags = new Set(changes?.isReplaced ? [] : stored)
  for (const [tag, entry] of changes?.rows ?? []) {
    if (entry) tags.add(tag)
    else tags.delete(tag)
  }
  return [...tags].sort()
}
