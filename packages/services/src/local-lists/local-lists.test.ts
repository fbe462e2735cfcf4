import type { IdTag } from '@busbar/store'
import { expect, test } from 'vitest'
import { type LocalList, type LocalListsRows, LocalListsState } from './state.js'
import {
  commandId,
  commandsOf,
  connected,
  decideAll,
  due,
  facts,
  heldTags,
  later,
  listNews,
  now,
  off,
  on,
  versionNews,
} from './testing.js'

const full = { version: 5, items: [on('A', { parentIdTag: 'FLEET', expiryDate: '2026-12-31T00:00:00Z' }), on('b')] }
const differential = { mode: 'Differential' as const, version: 6, items: [on('C'), off('A')] }

function afterwards(rows: Partial<LocalListsRows>, ...records: Parameters<typeof decideAll>[1][]) {
  const state = new LocalListsState({ stations: [facts()], ...rows })
  const decisions = decideAll(state, ...records)
  return { state, list: state.list('CP-1'), decisions, commands: commandsOf(decisions) }
}

function list(overrides: Partial<LocalList> = {}): LocalList {
  return {
    stationId: 'CP-1',
    version: 5,
    state: 'accepted',
    known: true,
    fullId: null,
    refusedId: null,
    fallback: null,
    updatedAt: now,
    ...overrides,
  }
}

const tag = (idTag: string): IdTag => ({
  foldedTag: idTag.toLowerCase(),
  idTag,
  status: 'Accepted',
  expiresAt: null,
  parentIdTag: null,
})

test('TC_043_4: a full list is known when the station accepted it, and not before', () => {
  const asked = afterwards({}, listNews('requested', full))
  expect(asked.list).toMatchObject({ version: null, state: 'requested', known: false })
  expect(heldTags(asked.state)).toEqual([])

  const { list, state } = afterwards({}, listNews('requested', full), listNews('accepted', full))
  expect(list).toMatchObject({ version: 5, state: 'accepted', known: true })
  expect(state.entryChanges.get('CP-1')?.rows.get('a')).toEqual({
    stationId: 'CP-1',
    foldedTag: 'a',
    idTag: 'A',
    status: 'Accepted',
    expiresAt: new Date('2026-12-31T00:00:00Z'),
    parentIdTag: 'FLEET',
  })
})

test('TC_043_5: a differential puts on, changes and takes off', () => {
  const { list, state } = afterwards(
    {},
    listNews('accepted', full),
    listNews('requested', differential, { command: 2 }),
    listNews('accepted', differential, { command: 2 }),
  )
  expect(list).toMatchObject({ version: 6, state: 'accepted', known: true })
  expect(heldTags(state)).toEqual(['b', 'c'])
})

test('a list that was cut is true part by part', () => {
  const { list, state } = afterwards(
    {},
    listNews('accepted', { version: 5, items: [on('A')] }),
    listNews('accepted', { mode: 'Differential', version: 6, items: [on('B')] }, { callIndex: 1 }),
    listNews('rejected', { mode: 'Differential', version: 7, items: [on('C')] }, { callIndex: 2, status: 'Failed' }),
  )
  expect(heldTags(state)).toEqual(['a', 'b'])
  expect(list).toMatchObject({ version: 6, state: 'failed', known: true })
})

test('UC16-List-1: an empty full list clears', () => {
  const { list, state } = afterwards({}, listNews('accepted', full), listNews('accepted', { version: 7 }))
  expect(heldTags(state)).toEqual([])
  expect(list).toMatchObject({ version: 7, known: true })
})

test.each([
  ['NotSupported', 'not-supported'],
  ['Failed', 'failed'],
  ['VersionMismatch', 'version-mismatch'],
])('TC_043_1, TC_043_3: a full list answered %s is kept as %s; nothing follows it', (status, state) => {
  const { list, commands } = afterwards({}, listNews('requested', full), listNews('rejected', full, { status }))
  expect(list).toMatchObject({ version: null, state, known: false })
  expect(commands).toEqual([])
})

test('what a later answer says of an unanswered list counts', () => {
  const { list, state } = afterwards(
    {},
    listNews('requested', full),
    listNews('unknown', full),
    listNews('accepted', full),
  )
  expect(list).toMatchObject({ state: 'accepted', known: true })
  expect(heldTags(state)).toEqual(['a', 'b'])
})

test('a change that is answered late does not undo a later one', () => {
  const { list, state } = afterwards(
    { lists: [list5()] },
    listNews('unknown', { ...differential, items: [on('C')] }, { command: 2 }),
    listNews('accepted', { ...differential, version: 7, items: [off('C')] }, { command: 3 }),
    listNews('accepted', { ...differential, items: [on('C')] }, { command: 2 }),
  )
  expect(list.version).toBe(7)
  expect(heldTags(state, ['c'])).toEqual([])
})

test('a list that follows an unanswered change stands on nothing known', () => {
  const { list } = afterwards(
    { lists: [list5()] },
    listNews('requested', differential),
    listNews('unknown', differential),
    listNews('requested', { ...differential, version: 7 }, { command: 2 }),
    listNews('accepted', { ...differential, version: 7 }, { command: 2 }),
  )
  expect(list.known).toBe(false)
})
const list5 = () => list()

test('TC_042: -1 is a station without lists, 0 an empty one', () => {
  const none = afterwards({ lists: [list()] }, versionNews('requested'), versionNews('accepted', -1))
  expect(none.list).toMatchObject({ version: -1, state: 'not-supported', known: false })
  expect(heldTags(none.state, ['a'])).toEqual([])

  const empty = afterwards({ lists: [list({ state: 'not-supported', known: false })] }, versionNews('accepted', 0))
  expect(empty.list).toMatchObject({ version: 0, state: null, known: true })
  expect(heldTags(empty.state, ['a'])).toEqual([])
})

test('a version that is not ours is another list', () => {
  expect(afterwards({ lists: [list()] }, versionNews('accepted', 5)).list).toMatchObject({ known: true, version: 5 })
  expect(afterwards({ lists: [list()] }, versionNews('accepted', 9)).list).toMatchObject({ known: false, version: 9 })
})

test.each(['VersionMismatch', 'Failed'])(
  'UC16-List-1: a differential answered %s leads to one question and one full list',
  (status) => {
    const rows = {
      lists: [list()],
      entries: ['A', 'B'].map((idTag) => ({ ...tag(idTag), stationId: 'CP-1' })),
      refused: new Map([
        [
          commandId(2),
          [
            { foldedTag: 'a', entry: null },
            { foldedTag: 'c', entry: { ...tag('C'), stationId: 'CP-1' } },
          ],
        ],
      ]),
      usableTags: ['X'].map(tag),
      stations: [facts({ switches: { localListFallback: true } })],
    }
    const refused = listNews('rejected', differential, { command: 2, status })
    const answer = versionNews('accepted', 9, { requestedBy: 'stations' })
    const { commands, list: after } = afterwards(rows, refused, refused, answer, answer)

    expect(commands).toMatchObject([
      { reaction: 'list-fallback', action: 'GetLocalListVersion', payload: {} },
      {
        reaction: 'list-fallback',
        action: 'SendLocalList',
        payload: { updateType: 'Full', localAuthorizationList: [on('B'), on('C')] },
      },
    ])
    expect(after).toMatchObject({ fallback: 'done', version: 9, state: 'requested' })
  },
)

test('a full list that falls back and fails is the end of it, its parts included', () => {
  const { commands } = afterwards(
    { lists: [list({ fallback: 'done', refusedId: commandId(2) })] },
    listNews('requested', { version: 10 }, { command: 3, requestedBy: 'stations' }),
    listNews('rejected', { ...differential, version: 11 }, { command: 3, callIndex: 1, status: 'Failed' }),
    listNews('rejected', { version: 12 }, { command: 4, status: 'Failed' }),
    listNews('rejected', differential, { command: 2, status: 'VersionMismatch' }),
  )
  expect(commands).toEqual([])
})

test('without the switch, or where lists are not supported, a refused differential is only marked', () => {
  const stations = [facts({ switches: {} })]
  const refused = listNews('rejected', differential, { status: 'VersionMismatch' })
  const { commands, list: after } = afterwards({ stations, lists: [list()] }, refused)
  expect(commands).toEqual([])
  expect(after).toMatchObject({ state: 'version-mismatch', version: 5, known: true })
  expect(afterwards({}, listNews('rejected', differential, { status: 'NotSupported' })).commands).toEqual([])
})

test('no full list follows when the question stays open, when there are no lists, or when another one asked', () => {
  const asked = list({ fallback: 'asked', refusedId: commandId(2), state: 'failed' })
  const own = { requestedBy: 'stations' }
  const late = [versionNews('unknown', null, own), versionNews('accepted', 9, own)]
  expect(afterwards({ lists: [asked] }, ...late).commands).toEqual([])
  expect(afterwards({ lists: [asked] }, versionNews('accepted', -1, own)).commands).toEqual([])
  expect(afterwards({ lists: [asked] }, versionNews('accepted', 9)).commands).toEqual([])
})

test('a station in step gets what differs, once', () => {
  const changes = [
    { ...tag('C'), stationId: 'CP-1' },
    { ...tag('A'), stationId: 'CP-1', status: null },
    { ...tag('Z'), stationId: 'CP-2' },
  ]
  const {
    commands,
    decisions,
    list: after,
  } = afterwards({ lists: [list()], changes, usableTags: [tag('C')] }, due(), due())
  expect(commands).toMatchObject([
    {
      reaction: 'list-sync',
      action: 'SendLocalList',
      payload: { updateType: 'Differential', localAuthorizationList: [on('C'), off('A')] },
    },
  ])
  expect(after.state).toBe('requested')
  expect(decisions[0]?.jobs?.remove).toHaveLength(1)
  expect(decisions[1]?.jobs?.put).toMatchObject([{ dueAt: later(10) }])
})

test('a station of which nothing is known gets the whole list; one in step already gets nothing', () => {
  const { commands } = afterwards({ usableTags: [tag('A'), tag('B')] }, due())
  expect(commands).toMatchObject([{ payload: { updateType: 'Full', localAuthorizationList: [on('A'), on('B')] } }])
  const inStep = afterwards({ lists: [list()], usableTags: [tag('A')] }, due())
  expect(inStep.commands).toEqual([])
  expect(inStep.decisions[0]?.jobs?.remove).toHaveLength(1)
})

test('no list is longer than the station can hold', () => {
  const maxLengths = new Map([['CP-1', 1]])
  const { commands, decisions } = afterwards({ maxLengths, usableTags: [tag('A'), tag('B')] }, due())
  expect(commands).toEqual([])
  expect(decisions[0]?.events).toMatchObject([{ type: 'local-list.too-long', data: { limit: 1, length: 2 } }])
})

test.each([
  ['switched off', facts({ switches: {} }), list()],
  ['away', facts({ online: false }), list()],
  ['of another version', facts({ protocol: 'ocpp2.0.1' }), list()],
  ['without lists', facts(), list({ state: 'not-supported' })],
])('a station %s is left alone', (_, station, known) => {
  const { commands, decisions } = afterwards({ stations: [station], lists: [known], usableTags: [tag('A')] }, due())
  expect(commands).toEqual([])
  expect(decisions[0]?.jobs).toMatchObject({ put: [], remove: [{}] })
})

test('a station that has not booted yet, or has a list under way, is looked at again; not for ever', () => {
  const pending = afterwards({ stations: [facts({ registration: 'Pending' })] }, due())
  expect(pending.decisions[0]?.jobs?.put).toMatchObject([{ dueAt: later(10) }])
  const lost = list({ state: 'requested', known: false })
  expect(afterwards({ lists: [lost] }, due('CP-1', 599)).commands).toEqual([])
  expect(afterwards({ lists: [lost] }, due('CP-1', 600)).commands).toHaveLength(1)
})

test('a station that comes back is looked at once it has settled, unless it is not kept in step or would not have a list', () => {
  const [decision] = afterwards({}, connected()).decisions
  const dueAt = decision?.jobs?.put[0]?.dueAt.getTime() ?? 0
  expect(dueAt).toBeGreaterThanOrEqual(later(30).getTime())
  expect(dueAt).toBeLessThan(later(90).getTime())
  expect(afterwards({ stations: [facts({ switches: {} })] }, connected()).decisions).toEqual([{}])
  expect(afterwards({ lists: [list({ state: 'failed', known: false })] }, connected()).decisions).toEqual([{}])
})
