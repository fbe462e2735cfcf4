import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  acceptedToken,
  chargingState,
  decide,
  event201,
  idToken,
  meterValue16,
  meterValues16,
  minute,
  propertyRuns,
  start16,
  stop16,
  token,
} from '../testing.js'

type State = ReturnType<typeof chargingState>
const find = (state: State, ocppId: string) => state.findByOcppId('CP-1', ocppId)
const statusesOf = (transactions: { status: string }[], wanted: string) =>
  transactions.filter(({ status }) => status === wanted).length
const types = (decision: ReturnType<typeof decide>) => decision.events?.map(({ type }) => type)

test('UC16-Stop-2: ends with energy and reason; idTagInfo exactly when an idTag came', () => {
  const state = chargingState()
  decide(state, start16())
  const decision = decide(state, stop16())

  expect(decision.result).toEqual({})
  expect(types(decision)).toEqual(['transaction.ended'])
  expect(find(state, '1001')).toMatchObject({
    status: 'ended',
    stoppedReason: 'Local',
    endedAt: new Date('2026-03-01T11:00:00Z'),
    energyWh: 5000n,
    heldReasons: [],
    flags: [],
  })
  const other = chargingState()
  decide(other, start16())
  expect(decide(other, stop16({ idTag: 'ABCD1234' })).result).toEqual({ idTagInfo: { status: 'Accepted' } })
  expect(find(other, '1001')).toMatchObject({ stopTokenValue: 'ABCD1234' })
})

test.each(['EmergencyStop', 'EVDisconnected', 'HardReset', 'PowerLoss', 'Remote', 'DeAuthorized'])(
  'UC16-Stop-3: keeps the reason %s',
  (reason) => {
    const state = chargingState()
    decide(state, start16())
    decide(state, stop16({ reason }))
    expect(find(state, '1001')).toMatchObject({ stoppedReason: reason })
  },
)

test('a card of the same group stops it, and so does any other: nothing can keep a station from stopping', () => {
  const state = chargingState({ tokens: [token({ groupId: 'G' }), token({ id: 'b', value: 'B', groupId: 'G' })] })
  decide(state, start16())
  expect(decide(state, stop16({ idTag: 'B' })).result).toEqual({ idTagInfo: { status: 'Accepted', parentIdTag: 'G' } })
  const stranger = chargingState()
  decide(stranger, start16())
  expect(decide(stranger, stop16({ idTag: 'STRANGER' })).result).toEqual({ idTagInfo: { status: 'Invalid' } })
  expect(find(stranger, '1001')).toMatchObject({ status: 'ended', stopTokenValue: 'STRANGER' })
})

test('transactionData is merged with MeterValues: the same reading counts once', () => {
  const state = chargingState()
  decide(state, start16({ meterStart: 1000 }))
  decide(state, meterValues16({ transactionId: 1001 }, { [minute(30)]: 3000 }))
  decide(state, stop16({ transactionData: meterValue16({ [minute(30)]: 3000, [minute(60)]: 6000 }) }))
  const [first, same, last] = state.newReadings
  expect(same).toMatchObject({
    samples: first?.samples,
    sampledAt: first?.sampledAt,
    evseNumber: 1,
    connectorNumber: 1,
  })
  expect(last).toMatchObject({ sampledAt: new Date(minute(60)) })
  expect(find(state, '1001')).toMatchObject({ energyWh: 5000n, heldReasons: [] })
})

describe('UC16-Stop-1', () => {
  test('a replay gets the same answer and changes nothing', () => {
    const tokens = [{ ...acceptedToken }]
    const state = chargingState({ tokens })
    decide(state, start16())
    const first = decide(state, stop16({ idTag: 'ABCD1234' }))
    if (tokens[0]) tokens[0].status = 'blocked'
    const replay = decide(state, stop16({ idTag: 'ABCD1234' }, { connectionId: 'connection-2' }))
    expect(replay.result).toEqual(first.result)
    expect(replay.events).toBeUndefined()
    expect(state.changedSteps.size).toBe(2)
  })

  test('of two that differ the first counts, the other is kept and told of', () => {
    const state = chargingState()
    decide(state, start16())
    decide(state, stop16({ reason: 'Remote' }))
    const second = decide(state, stop16({ meterStop: 9000, timestamp: minute(50) }))
    expect(second.result).toEqual({})
    expect(types(second)).toEqual(['transaction.updated'])
    expect(find(state, '1001')).toMatchObject({
      energyWh: 5000n,
      stoppedReason: 'Remote',
      endedAt: new Date(minute(60)),
      flags: ['conflict', 'late'],
    })
    expect([...state.changedSteps].map(({ kind, flags }) => [kind, flags])).toEqual([
      ['StartTransaction', []],
      ['StopTransaction', []],
      ['StopTransaction', ['conflict']],
    ])
  })

  test('one for an unknown transaction is answered and kept as an orphan', () => {
    const state = chargingState()
    for (const transactionId of [4711, '9223372036854775807']) {
      expect(decide(state, stop16({ transactionId })).result).toEqual({})
      expect(find(state, String(transactionId))).toMatchObject({ status: 'orphan', energyWh: null, startedAt: null })
    }
  })
})

describe('UC16-Start-3: without the id the station never got', () => {
  test.each([-1, 0, -17])('%i ends the open transaction of the same token', (transactionId) => {
    const state = chargingState()
    decide(state, start16({}, 1))
    decide(state, start16({ connectorId: 2, idTag: 'OTHER' }, 2))
    expect(decide(state, stop16({ transactionId, idTag: 'abcd1234' })).result).toHaveProperty('idTagInfo')
    expect(find(state, '1')).toMatchObject({ status: 'ended', energyWh: 5000n, flags: ['matched'] })
    expect(find(state, '2')).toMatchObject({ status: 'active' })
  })

  test('a replay finds where the first one was put', () => {
    const state = chargingState()
    decide(state, start16({}, 1))
    decide(state, stop16({ transactionId: -1, idTag: 'ABCD1234' }))
    decide(state, stop16({ transactionId: -1, idTag: 'ABCD1234' }))
    expect(state.changedTransactions.size).toBe(1)
    expect(find(state, '1')).toMatchObject({ flags: ['matched'] })
  })

  test('of two begun at the same instant it takes the same one, whichever came first', () => {
    const [one, other] = [
      [1, 2],
      [2, 1],
    ].map((order) => {
      const state = chargingState()
      for (const connectorId of order) decide(state, start16({ connectorId }, connectorId))
      decide(state, stop16({ transactionId: -1, idTag: 'ABCD1234' }))
      return ['1', '2'].map((id) => find(state, id)?.status)
    })
    expect(one?.toSorted()).toEqual(['active', 'ended'])
    expect(other).toEqual(one)
  })

  /** By id, whatever the Stop did. */
  const statuses = (state: State, ...ids: string[]) => ids.map((id) => find(state, id)?.status)

  test('of several it takes the one whose meter stood nearest', () => {
    const [state, stop] = [chargingState(), { transactionId: -1, idTag: 'ABCD1234' }]
    decide(state, start16({ meterStart: 10_000 }, 1))
    decide(state, start16({ connectorId: 2, meterStart: 500, timestamp: minute(5) }, 2))
    decide(state, start16({ connectorId: 3, meterStart: 90_000, timestamp: minute(5) }, 3))
    decide(state, stop16({ ...stop, meterStop: 13_000 }))
    expect(statuses(state, '1', '2', '3')).toEqual(['ended', 'active', 'active'])
    decide(state, stop16({ ...stop, meterStop: 14_000 }))
    expect(statuses(state, '1', '2', '3')).toEqual(['ended', 'ended', 'active'])
  })

  test('and that by its readings, if they are of the same meter as its start', () => {
    const [state, stop] = [chargingState(), { transactionId: -1, idTag: 'ABCD1234' }]
    decide(state, start16({ meterStart: 10_000 }, 1))
    decide(state, start16({ connectorId: 2, meterStart: 9_000 }, 2))
    decide(state, start16({ connectorId: 3, meterStart: 12_000 }, 3))
    decide(state, meterValues16({ transactionId: -1, connectorId: 2 }, { [minute(50)]: 13_900 }))
    // Counts this session from 0.
    decide(state, meterValues16({ transactionId: -1, connectorId: 3 }, { [minute(50)]: 1_500 }))
    decide(state, stop16({ ...stop, meterStop: 14_000 }))
    expect(statuses(state, '1', '2', '3')).toEqual(['active', 'ended', 'active'])
    decide(state, stop16({ ...stop, meterStop: 14_100 }))
    expect(statuses(state, '1', '2', '3')).toEqual(['active', 'ended', 'ended'])
  })

  test('and the latest where the Stop has no reading', () => {
    const state = chargingState()
    decide(state, start16({ meterStart: 10_000 }, 1))
    decide(state, start16({ connectorId: 2, timestamp: minute(5) }, 2))
    decide(state, stop16({ transactionId: -1, idTag: 'ABCD1234', meterStop: -1 }))
    expect(statuses(state, '1', '2')).toEqual(['active', 'ended'])
  })

  test('what sessions of one token come to is right, whichever of their Stops each is given', () => {
    const ends = fc.array(fc.record({ startWh: fc.nat(50_000), wh: fc.nat(50_000) }), { minLength: 1, maxLength: 5 })
    const sessions = ends.chain((all) =>
      fc.record({ all: fc.constant(all), order: fc.shuffledSubarray(all, { minLength: all.length }) }),
    )
    fc.assert(
      fc.property(sessions, ({ all, order }) => {
        const state = chargingState()
        all.forEach(({ startWh }, index) => {
          decide(state, start16({ connectorId: index + 1, meterStart: startWh }, index + 1))
        })
        order.forEach(({ startWh, wh }, index) => {
          const stop = { transactionId: -1, idTag: 'ABCD1234', meterStop: startWh + wh, timestamp: minute(60 + index) }
          decide(state, stop16(stop))
        })
        const transactions = [...state.changedTransactions]
        const isComplete = transactions.every(({ status }) => status === 'ended')
        const total = transactions.reduce((sum, { energyWh }) => sum + Number(energyWh), 0)
        // One that fits no more is kept as an orphan, beside the session that it left open: neither is billed.
        if (isComplete) expect(total).toBe(all.reduce((sum, { wh }) => sum + wh, 0))
        else expect(statusesOf(transactions, 'orphan')).toBe(statusesOf(transactions, 'active'))
        expect(transactions.filter(({ energyWh }) => energyWh !== null && energyWh < 0)).toEqual([])
      }),
      { numRuns: propertyRuns },
    )
  })

  test('not one that began after it, unless a clock that was never set says so', () => {
    const stopAt = (timestamp: string | undefined, start: object = {}) => {
      const state = chargingState()
      decide(state, start16(start, 1))
      decide(state, stop16({ transactionId: -1, idTag: 'ABCD1234', timestamp }))
      return find(state, '1')?.status
    }
    expect(stopAt(minute(-5))).toBe('active')
    expect(stopAt('1970-01-01T00:10:00Z')).toBe('ended')
    expect(stopAt(undefined)).toBe('ended')
    expect(stopAt(minute(5), { timestamp: '2036-01-01T00:00:00Z' })).toBe('ended')
  })

  test('not one of OCPP 2.0.1, nor one that another start has superseded', () => {
    const state = chargingState()
    decide(state, event201('Started', 0, { idToken: idToken('ABCD1234'), evse: { id: 1 } }))
    decide(state, start16({ connectorId: 2 }, 1))
    decide(state, start16({ connectorId: 2, timestamp: minute(50) }, 2))
    decide(state, stop16({ transactionId: -1, idTag: 'ABCD1234', timestamp: minute(40) }))
    expect(statuses(state, 'T-1', '1', '2')).toEqual(['active', 'active', 'active'])
    expect([...state.changedTransactions].map(({ status }) => status)).toContain('orphan')
  })

  test('a token of the same group will do', () => {
    const state = chargingState({ tokens: [token({ groupId: 'G' }), token({ id: 'b', value: 'B', groupId: 'G' })] })
    decide(state, start16({}, 1))
    decide(state, stop16({ transactionId: -1, idTag: 'B' }))
    expect(find(state, '1')).toMatchObject({ status: 'ended' })
  })

  test.each([
    ['was registered since', [], [token({})]],
    ['was removed since', [token({})], []],
    ['was registered anew since', [token({})], [token({ id: 'another' })]],
  ])('a token that %s will do', (_, before, since) => {
    const began = chargingState({ tokens: before })
    decide(began, start16({}, 1))
    const state = chargingState({ tokens: since, transactions: [...began.changedTransactions] })
    decide(state, stop16({ transactionId: -1, idTag: 'abcd1234' }))
    expect([...state.changedTransactions]).toMatchObject([{ ocppId: '1', status: 'ended' }])
  })

  test('what a station appends to its idTags is cut off here too', () => {
    const state = chargingState({ tokens: [], switches: new Map([['CP-1', { idTagBeforeUnderscore: true }]]) })
    decide(state, start16({ idTag: 'GUEST_1' }, 1))
    decide(state, stop16({ transactionId: -1, idTag: 'GUEST_2' }))
    expect(find(state, '1')).toMatchObject({ status: 'ended' })
  })

  test('the mask of a key code is nobody', () => {
    const state = chargingState({ tokens: [token({ value: '987654', type: 'KeyCode' })] })
    decide(state, start16({ idTag: '987654' }, 1))
    decide(state, stop16({ transactionId: -1, idTag: '***' }))
    expect(find(state, '1')).toMatchObject({ status: 'active' })
    decide(state, stop16({ transactionId: -1, idTag: '987654' }))
    expect(find(state, '1')).toMatchObject({ status: 'ended' })
  })

  test.each([undefined, '', ' '])('with %j for an idTag only if there is no choice', (idTag) => {
    const state = chargingState()
    decide(state, start16({}, 1))
    decide(state, stop16({ transactionId: -1, idTag }))
    expect(find(state, '1')).toMatchObject({ status: 'ended' })
    decide(state, start16({ timestamp: minute(90) }, 2))
    decide(state, start16({ connectorId: 2, timestamp: minute(90) }, 3))
    decide(state, stop16({ transactionId: -1, idTag, timestamp: minute(100) }))
    expect(find(state, '2')).toMatchObject({ status: 'active' })
    expect(find(state, '3')).toMatchObject({ status: 'active' })
  })

  test('where nothing fits it is kept as an orphan, once', () => {
    const state = chargingState()
    // Begun at a higher register than it stopped, and by somebody else.
    decide(state, start16({ meterStart: 50_000 }, 1))
    decide(state, stop16({ transactionId: -1, idTag: 'ABCD1234' }))
    decide(state, stop16({ transactionId: -1, idTag: 'ABCD1234' }))
    expect([...state.changedTransactions].map(({ status }) => status)).toEqual(['active', 'orphan'])
    expect(find(state, '1')).toMatchObject({ flags: [] })
  })
})

test('T13: the id of another station finds nothing of it', () => {
  const state = chargingState()
  decide(state, start16({}, 1001, { stationId: 'B' }))
  decide(state, stop16({ transactionId: 1001 }, { stationId: 'A' }))
  expect(state.findByOcppId('B', '1001')).toMatchObject({ status: 'active', endedAt: null })
  expect(state.findByOcppId('A', '1001')).toMatchObject({ status: 'orphan', stationId: 'A' })
})

test('meterStop -1 is answered, held and told', () => {
  const state = chargingState()
  decide(state, start16())
  const decision = decide(state, stop16({ meterStop: -1 }))
  expect(decision.result).toEqual({})
  expect(types(decision)).toEqual(['transaction.ended', 'transaction.held'])
  expect(find(state, '1001')).toMatchObject({ status: 'ended', energyWh: null, heldReasons: ['meter-missing'] })
})
