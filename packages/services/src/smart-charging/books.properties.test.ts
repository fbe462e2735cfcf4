import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CommandNews } from '../pipeline/command-news.js'
import type { InboundRecord } from '../pipeline/service.js'
import { SmartChargingState } from './state.js'
import { clearNews, decideAll, later, remoteNews, setNews, transaction, transactionEvent } from './testing.js'

const numRuns = Number(process.env.PROPERTY_RUNS ?? 300)

const outcomes = fc.constantFrom<CommandNews['stage'][]>(
  ['accepted'],
  ['accepted'],
  ['rejected'],
  ['failed'],
  ['unknown'],
  ['unknown', 'accepted'],
  [],
)

const options = fc.record({
  id: fc.integer({ min: 1, max: 4 }),
  connector: fc.integer({ min: 0, max: 2 }),
  level: fc.integer({ min: 0, max: 1 }),
  purpose: fc.constantFrom('ChargePointMaxProfile' as const, 'TxDefaultProfile' as const, 'TxProfile' as const),
  transaction: fc.constantFrom(4711, 4712),
})

const request = fc.record(
  {
    id: fc.integer({ min: 1, max: 4 }),
    connectorId: fc.integer({ min: 0, max: 2 }),
    stackLevel: fc.integer({ min: 0, max: 1 }),
    chargingProfilePurpose: fc.constantFrom('TxDefaultProfile', 'TxProfile'),
  },
  { requiredKeys: [] },
)

/** All that is told of one command, that of the n-th second. */
type Told = (asked: number) => InboundRecord[]

const told: fc.Arbitrary<Told> = fc
  .tuple(fc.integer({ min: 0, max: 9 }), options, request, outcomes)
  .map(([kind, given, filter, stages]) => (asked) => {
    const all = ['requested' as const, ...stages]
    return all.map((stage, index) => {
      const place = { asked, at: asked + index / 10 }
      if (kind < 3) return clearNews(stage, filter, place)
      return kind < 5 ? remoteNews(stage, given, place) : setNews(stage, given, place)
    })
  })

const scenario = fc
  .record({
    told: fc.array(told, { maxLength: 8 }),
    began: fc.array(fc.integer({ min: -2, max: 9 }), { maxLength: 2 }),
    ended: fc.array(fc.option(fc.integer({ min: 0, max: 20 })), { minLength: 2, maxLength: 2 }),
  })
  .chain(({ told: all, began, ended }) => {
    const records = [
      ...all.flatMap((each, index) => each(index)),
      transactionEvent('started', { at: 20 }),
      transactionEvent('ended', { at: 21 }),
    ]
    const transactions = began.map((at, index) => {
      const end = ended[index] ?? null
      return transaction({
        id: `01910000-0000-7000-8000-00000000000${index}`,
        ocppIds: [String(4711 + index)],
        connector: 1 + index,
        startedAt: later(at),
        createdAt: later(at),
        endedAt: end === null ? null : later(at + end),
      })
    })
    return fc
      .tuple(
        fc.shuffledSubarray(records, { minLength: records.length, maxLength: records.length }),
        fc.array(fc.nat({ max: records.length - 1 }), { maxLength: 5 }),
        fc.shuffledSubarray(records),
      )
      .map(([order, again, tail]) => ({
        records,
        transactions,
        rearranged: [...order, ...again.map((index) => records[index] as InboundRecord), ...tail],
      }))
  })

/** A clock that stands still: time alone changes books as well. */
function play(records: InboundRecord[], transactions: ReturnType<typeof transaction>[], again: boolean) {
  const state = new SmartChargingState({ transactions })
  decideAll(state, ...records)
  // As if a later batch had loaded what this one saved.
  const reloaded = again
    ? new SmartChargingState({
        profiles: state.profiles.ofStation('CP-1'),
        clears: state.clears.ofStation('CP-1'),
        transactions,
      })
    : state
  decideAll(reloaded, transactionEvent('started', { at: 100 }))
  return reloaded.profiles.ofStation('CP-1').sort((a, b) => (a.commandId < b.commandId ? -1 : 1))
}

test('news in any order, and as often as they like, lead to the same books', () => {
  fc.assert(
    fc.property(scenario, ({ records, transactions, rearranged }) => {
      const once = play(records, transactions, false)
      expect(play(rearranged, transactions, true)).toEqual(once)
    }),
    { numRuns },
  )
}, 3_600_000)

test('no two active profiles share an id or a place in a stack', () => {
  fc.assert(
    fc.property(scenario, ({ rearranged, transactions }) => {
      const active = play(rearranged, transactions, false).filter(({ status }) => status === 'active')
      const profiles = active.map(({ sent, transactionId }) => {
        const profile = (sent.csChargingProfiles ?? sent.chargingProfile) as Record<string, unknown>
        return { profile, connectorId: sent.connectorId, transactionId }
      })
      const ids = profiles.map(({ profile }) => profile.chargingProfileId)
      const places = profiles.map(({ profile, connectorId, transactionId }) => {
        const stack =
          profile.chargingProfilePurpose === 'TxProfile'
            ? (transactionId ?? `${profile.transactionId} ${connectorId}`)
            : connectorId
        return `${profile.chargingProfilePurpose} ${stack} ${profile.stackLevel}`
      })
      expect(new Set(ids).size).toBe(ids.length)
      expect(new Set(places).size).toBe(places.length)
    }),
    { numRuns },
  )
}, 3_600_000)
