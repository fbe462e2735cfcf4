import { expect, test } from 'vitest'
import { dueJob } from './bring-up-to-date.js'
import { SmartChargingState } from './state.js'
import {
  books,
  clear,
  clearNews,
  commandId,
  decideAll,
  due,
  later,
  news,
  now,
  type ProfileOptions,
  remoteNews,
  set,
  setNews,
  transaction,
  transactionEvent,
  transactionId,
} from './testing.js'

const blank = () => new SmartChargingState()

const events = (decisions: ReturnType<typeof decideAll>) =>
  decisions.flatMap((each) => each.events ?? []).map(({ data }) => data as Record<string, unknown>)

test('a profile is requested when it goes out, and counts once the station accepted it', () => {
  const state = blank()

  decideAll(state, setNews('requested'))
  expect(books(state)).toEqual(['1: requested'])
  const [decision] = decideAll(state, setNews('accepted'))

  expect(books(state)).toEqual(['1: active'])
  expect(decision?.events).toEqual([
    {
      type: 'smart-charging.profile-changed',
      subject: 'charging-profile/1',
      time: later(1),
      data: {
        commandId: commandId(0),
        chargingProfileId: 1,
        connector: 1,
        purpose: 'TxDefaultProfile',
        stackLevel: 0,
        status: 'active',
        transactionId: null,
        requestedBy: 'key-1',
      },
    },
  ])
})

test.each(['rejected', 'failed', 'unknown'] as const)(
  'UC16-SC-2: one that is %s leaves the stored one alone',
  (stage) => {
    const state = blank()

    decideAll(state, ...set(), setNews('requested', {}, { asked: 10 }), setNews(stage, {}, { asked: 10 }))

    expect(books(state)).toEqual(['1: active', `1: ${stage}`])
  },
)

test('an answer that comes late is still the answer, and takes its place in the order of asking', () => {
  const state = blank()
  decideAll(state, ...set(), setNews('requested', {}, { asked: 10 }), setNews('unknown', {}, { asked: 10 }))
  decideAll(state, ...set({ id: 2 }, { asked: 20 }))
  expect(books(state)).toEqual(['1: replaced', '1: unknown', '2: active'])

  const decisions = decideAll(state, setNews('accepted', {}, { asked: 10, at: 60 }))

  expect(books(state)).toEqual(['1: replaced', '1: replaced', '2: active'])
  expect(events(decisions)).toMatchObject([{ commandId: commandId(10), status: 'replaced' }])
})

test.each<[string, ProfileOptions, ProfileOptions, boolean]>([
  ['of the same id', { id: 1 }, { id: 1, purpose: 'ChargePointMaxProfile', connector: 0, level: 9 }, true],
  ['on the same level of a purpose', { id: 1 }, { id: 2 }, true],
  ['on another level', { id: 1 }, { id: 2, level: 1 }, false],
  ['of another purpose', { id: 1, connector: 0 }, { id: 2, connector: 0, purpose: 'ChargePointMaxProfile' }, false],
  ['on another connector', { id: 1, connector: 0 }, { id: 2, connector: 1 }, false],
  [
    'for the same transaction',
    { id: 1, purpose: 'TxProfile', transaction: 4711 },
    { id: 2, purpose: 'TxProfile', transaction: 4711 },
    true,
  ],
  [
    'for another transaction',
    { id: 1, purpose: 'TxProfile', transaction: 4711 },
    { id: 2, purpose: 'TxProfile', transaction: 4712 },
    false,
  ],
])('a profile %s: whether it replaces the first', (_, first, second, isReplaced) => {
  const state = blank()

  decideAll(state, ...set(first), ...set(second, { asked: 10 }))

  expect(books(state)).toEqual([`1: ${isReplaced ? 'replaced' : 'active'}`, `${second.id}: active`])
})

test.each<[object, string[]]>([
  [{ id: 2 }, ['1: active', '2: cleared', '3: active', '4: active']],
  [{ id: 2, connectorId: 7, stackLevel: 7 }, ['1: active', '2: cleared', '3: active', '4: active']],
  [{ connectorId: 1 }, ['1: active', '2: cleared', '3: cleared', '4: active']],
  [{ connectorId: 0 }, ['1: cleared', '2: active', '3: active', '4: active']],
  [{ chargingProfilePurpose: 'TxDefaultProfile' }, ['1: active', '2: cleared', '3: cleared', '4: cleared']],
  [
    { connectorId: 1, chargingProfilePurpose: 'TxDefaultProfile', stackLevel: 1 },
    ['1: active', '2: active', '3: cleared', '4: active'],
  ],
  [{ stackLevel: 5 }, ['1: active', '2: active', '3: active', '4: active']],
  [{}, ['1: cleared', '2: cleared', '3: cleared', '4: cleared']],
])('TC_067: an accepted clear of %j takes exactly what fits', (request, left) => {
  const state = blank()
  decideAll(
    state,
    ...set({ id: 1, connector: 0, purpose: 'ChargePointMaxProfile' }, { asked: 1 }),
    ...set({ id: 2 }, { asked: 2 }),
    ...set({ id: 3, level: 1 }, { asked: 3 }),
    ...set({ id: 4, connector: 2 }, { asked: 4 }),
  )

  decideAll(state, ...clear(request, { asked: 10 }))

  expect(books(state)).toEqual(left)
})

test.each(['requested', 'rejected', 'failed', 'unknown'] as const)(
  'UC16-SC-2: a clear that is %s takes nothing',
  (stage) => {
    const state = blank()

    decideAll(state, ...set(), clearNews(stage, {}, { asked: 10 }))

    expect(books(state)).toEqual(['1: active'])
  },
)

test('what is set after a clear stays, though the clear is answered later', () => {
  const state = blank()

  decideAll(
    state,
    clearNews('requested', {}, { asked: 1 }),
    ...set({}, { asked: 2 }),
    clearNews('accepted', {}, { asked: 1, at: 60 }),
  )

  expect(books(state)).toEqual(['1: active'])
})

test('a TxProfile goes with its transaction, and one for a transaction that is over never counts', () => {
  const open = transaction()
  const state = new SmartChargingState({ transactions: [open] })
  decideAll(state, ...set({ purpose: 'TxProfile', transaction: 4711 }, { asked: 10 }), ...set({ id: 2 }, { asked: 20 }))
  expect(books(state)).toEqual(['1: active', '2: active'])

  open.endedAt = later(30)
  decideAll(
    state,
    transactionEvent('ended', { at: 31 }),
    ...set({ id: 3, purpose: 'TxProfile', transaction: 4711, level: 1 }, { asked: 40 }),
  )

  expect(books(state)).toEqual(['1: ended', '2: active', '3: ended'])
})

test('a TxProfile that names no transaction belongs to the one on its connector', () => {
  const state = new SmartChargingState({
    transactions: [transaction(), transaction({ id: commandId(1), connector: 2 })],
  })

  decideAll(state, ...set({ purpose: 'TxProfile', connector: 1 }, { asked: 10 }))

  expect(state.profiles.find(commandId(10))?.transactionId).toBe(transactionId)
})

test("T13: a transaction of another station ends nobody else's profile", () => {
  const state = new SmartChargingState({ transactions: [transaction({ stationId: 'CP-2', endedAt: later(5) })] })

  decideAll(
    state,
    ...set({ purpose: 'TxProfile', transaction: 4711 }, { asked: 10 }),
    transactionEvent('ended', { station: 'CP-2', at: 20 }),
  )

  expect(books(state)).toEqual(['1: active'])
})

test('TC_059: the profile of a remote start waits for its transaction and goes with it', () => {
  const state = blank()
  const decisions = decideAll(
    state,
    remoteNews('requested', {}, { asked: -10 }),
    remoteNews('accepted', {}, { asked: -10 }),
  )
  expect(books(state)).toEqual(['1: pending'])
  expect(decisions.at(-1)?.jobs?.put).toMatchObject([{ kind: dueJob, key: commandId(-10), dueAt: later(3_590) }])

  const started = new SmartChargingState({ profiles: state.profiles.ofStation('CP-1'), transactions: [transaction()] })
  decideAll(started, transactionEvent('started'))
  expect(books(started)).toEqual(['1: active'])
  expect(started.profiles.find(commandId(-10))?.transactionId).toBe(transactionId)

  const ended = new SmartChargingState({
    profiles: started.profiles.ofStation('CP-1'),
    transactions: [transaction({ endedAt: later(60) })],
  })
  decideAll(ended, transactionEvent('ended', { at: 60 }))
  expect(books(ended)).toEqual(['1: ended'])
})

test.each<[string, Parameters<typeof transaction>[0]]>([
  ['another token', { idTag: 'OTHER' }],
  ['another connector', { connector: 2 }],
  ['a time before it was asked for', { createdAt: later(-20), startedAt: later(-20) }],
  ['a start of long ago that is told only now', { startedAt: later(-3_600) }],
  ['another station', { stationId: 'CP-2' }],
])('a transaction of %s is not the one of the remote start', (_, other) => {
  const state = new SmartChargingState({ transactions: [transaction(other)] })

  decideAll(state, remoteNews('requested', {}, { asked: -10 }), remoteNews('accepted', {}, { asked: -10 }))

  expect(books(state)).toEqual(['1: pending'])
})

test('a transaction on any connector will do where the remote start named none; the latest remote start has it', () => {
  const state = new SmartChargingState({ transactions: [transaction({ connector: 2 })] })
  const anywhere = { connector: null }

  decideAll(
    state,
    remoteNews('accepted', { ...anywhere, id: 1 }, { asked: -20, at: -19 }),
    remoteNews('accepted', { ...anywhere, id: 2 }, { asked: -10, at: -9 }),
  )

  expect(books(state)).toEqual(['1: pending', '2: active'])
})

test('a profile set for the transaction replaces the one of its remote start on the same level', () => {
  const state = new SmartChargingState({ transactions: [transaction()] })
  decideAll(state, remoteNews('requested', {}, { asked: -10 }), remoteNews('accepted', {}, { asked: -10 }))

  decideAll(state, ...set({ id: 2, purpose: 'TxProfile', transaction: 4711 }, { asked: 10 }))

  expect(books(state)).toEqual(['1: replaced', '2: active'])
})

test('a remote start that nobody followed gives its profile up after an hour', () => {
  const state = blank()
  decideAll(state, remoteNews('requested'), remoteNews('accepted'))

  const [early] = decideAll(state, due(0, { at: 3_599 }))
  expect(books(state)).toEqual(['1: pending'])
  expect(early?.jobs).toMatchObject({ put: [{ key: commandId(0), dueAt: later(3_600) }] })

  const [onTime] = decideAll(state, due(0, { at: 3_600 }))
  expect(books(state)).toEqual(['1: ended'])
  expect(onTime?.jobs).toMatchObject({ put: [], remove: [{ key: commandId(0) }, { key: commandId(0) }] })
})

test('a remote start without a profile is none of our business', () => {
  const state = blank()

  decideAll(state, news('RemoteStartTransaction', 'accepted', { idTag: 'DRIVER' }))

  expect(books(state)).toEqual([])
})

test('a profile expires with its validity; what is set after that leaves it as it is', () => {
  const state = blank()
  const [, accepted] = decideAll(state, ...set({ validTo: later(100).toISOString() }))
  expect(accepted?.jobs?.put).toMatchObject([{ key: commandId(0), dueAt: later(100) }])

  decideAll(state, due(0, { at: 100 }))
  expect(books(state)).toEqual(['1: expired'])
  decideAll(state, ...set({ id: 2 }, { asked: 200 }), ...clear({}, { asked: 300 }))
  expect(books(state)).toEqual(['1: expired', '2: cleared'])
})

test('the last answer to GetCompositeSchedule is kept per connector, a refusal too; an older one changes nothing', () => {
  const state = blank()
  const ask = (connectorId: number, stage: 'accepted' | 'rejected' | 'unknown', at: number, response: object) =>
    news('GetCompositeSchedule', stage, { connectorId, duration: 60 }, { asked: at, at }, response)

  decideAll(
    state,
    ask(1, 'accepted', 10, { status: 'Accepted', connectorId: 1 }),
    ask(1, 'accepted', 5, { status: 'Accepted' }),
    ask(1, 'unknown', 20, {}),
    ask(0, 'accepted', 10, { status: 'Accepted' }),
    ask(0, 'rejected', 11, { status: 'Rejected' }),
    ask(2 ** 40, 'rejected', 11, { status: 'Rejected' }),
  )

  expect(state.changedReported()).toMatchObject([
    { connector: 1, response: { connectorId: 1 }, answeredAt: later(10) },
    { connector: 0, response: { status: 'Rejected' }, answeredAt: later(11) },
  ])
})

test('what is told again changes nothing and tells nothing', () => {
  const state = blank()
  decideAll(state, ...set())

  const again = decideAll(state, ...set())

  expect(events(again)).toEqual([])
  expect(books(state)).toEqual(['1: active'])
  expect(state.profiles.find(commandId(0))).toMatchObject({ requestedAt: now, answeredAt: later(1) })
})
