import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { conditionsOf, type StationFacts } from './conditions.js'
import { settingsOf } from './settings.js'
import { type Alert, settle } from './settle.js'
import { after, facts, settings, start } from './testing.js'

/** Kind and minute of what would become an alert. */
const coming = (given: StationFacts, now = start) =>
  conditionsOf(given, settings, now).map(({ kind, dueAt }) => [kind, (dueAt.getTime() - start.getTime()) / 60_000])

const connector = (status: string, minute: number, connectorNumber = 1) => ({
  ...{ evseNumber: 1, connectorNumber, status, errorCode: 'GroundFailure', vendorErrorCode: null, info: null },
  statusAt: after(minute),
})
const transaction = (minute: number) => ({
  ...{ id: 'transaction-1', startedAt: start, evseNumber: 1, connectorNumber: 1 },
  heardAt: after(minute),
})

describe('a station', () => {
  test('is offline 10 minutes after its connection ended, and not before it ever had one', () => {
    expect(coming(facts({ connection: { online: false, disconnectedAt: after(5) } }))).toEqual([['offline', 15]])
    expect(coming(facts({ connection: { online: false, connectedAt: null } }))).toEqual([])
    expect(coming({ ...facts(), connection: null })).toEqual([])
  })

  test('is silent after three intervals, and the 5.5 minutes that gateways gather Heartbeats for', () => {
    expect(coming(facts())).toEqual([['silent', 20.5]])
    expect(coming(facts({ connection: { heardAt: after(7) } }))).toEqual([['silent', 27.5]])
    expect(coming(facts({ connection: { registration: 'Pending' } }))).toEqual([])
  })

  test('is faulted where a connector, or the whole of it, is for a minute', () => {
    const faulted = conditionsOf(
      facts({ connectors: [connector('Faulted', 3), connector('Faulted', 4, 0)] }),
      settings,
      start,
    )
    expect(faulted.filter(({ kind }) => kind === 'faulted')).toMatchObject([
      { subject: 'evse/1/connector/1', since: after(3), dueAt: after(4), details: { errorCode: 'GroundFailure' } },
      { subject: 'evse/1', dueAt: after(5) },
    ])
  })

  test('has a stuck transaction after a day without a word, or 15 minutes after its connector is free', () => {
    const stuck = (given: StationFacts) => coming(given).filter(([kind]) => kind === 'stuck-transaction')
    expect(stuck(facts({ transactions: [transaction(2)] }))).toEqual([['stuck-transaction', 24 * 60 + 2]])
    const free = { transactions: [transaction(2)], connectors: [connector('Available', 10)] }
    expect(stuck(facts(free))).toEqual([['stuck-transaction', 25]])
    // It tells of the end when it is back.
    expect(stuck(facts({ ...free, connection: { online: false } }))).toEqual([['stuck-transaction', 24 * 60 + 2]])
    const freeBefore = { transactions: [transaction(20)], connectors: [connector('Available', 10)] }
    expect(stuck(facts(freeBefore))).toEqual([['stuck-transaction', 24 * 60 + 20]])
    expect(stuck(facts({ ...free, connectors: [connector('Available', 10, 2)] }))).toEqual([
      ['stuck-transaction', 24 * 60 + 2],
    ])
  })

  test('is refused after three attempts, until it comes in or tries no more for an hour', () => {
    const told = { reason: 'credentials', count: 3, firstToldAt: start.toISOString(), lastAt: after(5).toISOString() }
    const refused = (rest: object, connectedAt = start, now = after(6)) =>
      conditionsOf(facts({ refused: { ...told, ...rest }, connection: { connectedAt } }), settings, now).filter(
        ({ kind }) => kind === 'refused',
      )
    expect(refused({})).toMatchObject([{ since: start, dueAt: start, details: told }])
    expect(refused({ count: 2 })).toEqual([])
    expect(refused({}, after(5))).toEqual([])
    expect(refused({}, start, after(66))).toEqual([])
  })

  test('has its own thresholds by its switches; 0 is never', () => {
    const given = facts({
      connection: { online: false, disconnectedAt: start },
      connectors: [connector('Faulted', 0)],
      refused: { reason: 'profile', count: 9, firstToldAt: start.toISOString(), lastAt: after(1).toISOString() },
    })
    const own = settingsOf(settings, { alertOfflineMinutes: 60, alertFaultedMinutes: 0, alertRefusedAttempts: 10 })
    expect(conditionsOf(given, own, start).map(({ kind, dueAt }) => [kind, dueAt])).toEqual([['offline', after(60)]])
    expect(settingsOf(settings, { alertOfflineMinutes: 'soon' })).toEqual(settings)
  })

  test('that was deleted has nothing wrong', () => {
    const given = facts({ connection: { online: false, disconnectedAt: start }, connectors: [connector('Faulted', 0)] })
    expect(conditionsOf({ ...given, station: null }, settings, after(60))).toEqual([])
  })
})

const moments = fc.array(
  fc.record({
    online: fc.boolean(),
    disconnected: fc.integer({ min: 0, max: 90 }),
    heard: fc.integer({ min: 0, max: 90 }),
    faulted: fc.boolean(),
    faultedAt: fc.integer({ min: 0, max: 90 }),
    looks: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 1, maxLength: 12 },
)

test('whatever happens in between, what is open in the end is what lasts; each is raised and cleared by turns', () => {
  fc.assert(
    fc.property(moments, (happenings) => {
      let open: Alert[] = []
      const said = new Map<string, string[]>()
      happenings.forEach(({ online, disconnected, heard, faulted, faultedAt, looks }, index) => {
        const given = facts({
          connection: { online, disconnectedAt: after(disconnected), heardAt: after(heard) },
          connectors: faulted ? [connector('Faulted', faultedAt)] : [],
        })
        const now = after(100 + index)
        const conditions = conditionsOf(given, settings, now)
        for (let look = 0; look < looks; look += 1) {
          const { raise, clear, lookAt } = settle(open, conditions, now)
          for (const [word, list] of Object.entries({ raise, clear })) {
            for (const { kind } of list) said.set(kind, [...(said.get(kind) ?? []), word])
          }
          if (look > 0) expect([raise, clear]).toEqual([[], []])
          open = [
            ...open.filter((alert) => !clear.includes(alert)),
            ...raise.map((each, number) => ({
              ...each,
              ...{ id: `${index}/${number}`, stationId: 'CP-1', raisedAt: now, clearedAt: null },
            })),
          ]
          if (lookAt) expect(lookAt.getTime()).toBeGreaterThan(now.getTime())
          if (conditions.length > 0) expect(lookAt).not.toBeNull()
        }
        const lasting = conditions.filter(({ dueAt }) => dueAt <= now).map(({ kind, subject }) => `${kind} ${subject}`)
        expect(open.map(({ kind, subject }) => `${kind} ${subject}`).sort()).toEqual(lasting.sort())
      })
      for (const words of said.values()) {
        expect(words).toEqual(words.map((_, index) => (index % 2 === 0 ? 'raise' : 'clear')))
      }
    }),
  )
})
