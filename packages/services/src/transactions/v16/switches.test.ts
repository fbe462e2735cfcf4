import { expect, test } from 'vitest'
import {
  acceptedToken,
  authorize16,
  chargingState,
  decide,
  meterValues16,
  minute,
  start16,
  startedAt,
  stop16,
} from '../testing.js'

const switched = (...names: string[]) =>
  chargingState({ switches: new Map([['CP-1', Object.fromEntries(names.map((name) => [name, true]))]]) })
const statusOf = ({ result }: { result: Record<string, unknown> }) => (result.idTagInfo as { status: string }).status

test('quirk 3e, empty idTag in free mode: charges where the station is free to all, and nowhere else', () => {
  const free = switched('acceptEmptyIdTag')
  const start = decide(free, start16({ idTag: '' }))
  expect(statusOf(start)).toBe('Accepted')
  expect(start.quirks).toEqual(['id-tag-empty'])
  expect([...free.changedTransactions]).toMatchObject([{ tokenValue: null, tokenStatus: 'Accepted' }])
  expect(statusOf(decide(free, authorize16('')))).toBe('Accepted')

  expect(statusOf(decide(chargingState(), start16({ idTag: '' })))).toBe('Invalid')
})

test('quirk 3e, a number appended to the idTag (KEBA): what stands before it counts where that is switched on', () => {
  const keba = switched('idTagBeforeUnderscore')
  const start = decide(keba, start16({ idTag: 'abcd1234_17619300' }))
  expect(statusOf(start)).toBe('Accepted')
  expect(start.quirks).toEqual(['id-tag-suffix'])
  expect([...keba.changedTransactions]).toMatchObject([{ tokenValue: acceptedToken.value }])

  expect(statusOf(decide(chargingState(), authorize16('abcd1234_17619300')))).toBe('Invalid')
})

test('quirk 3f, no StopTransaction at all (Fronius, KEBA): the next start ends the one before, at its last reading', () => {
  const state = switched('endSuperseded')
  decide(state, start16({ meterStart: 1000 }, 1001))
  decide(state, meterValues16({ transactionId: 1001 }, { '2026-03-01T10:30:00.000Z': 3500 }))
  const next = decide(state, start16({ meterStart: 4000, timestamp: '2026-03-01T12:00:00.000Z' }, 1002))

  const first = [...state.changedTransactions].find(({ ocppId }) => ocppId === '1001')
  expect(first).toMatchObject({ status: 'ended', stoppedReason: 'Other', energyWh: 2500n, flags: ['superseded'] })
  expect(first?.endedAt).toEqual(new Date('2026-03-01T10:30:00.000Z'))
  expect(next.events?.map(({ type }) => type)).toContain('transaction.ended')
  expect(next.quirks).toEqual(['transaction-never-ended'])
})

test('a Stop that comes after all still counts for the one that was ended for want of it', () => {
  const state = switched('endSuperseded')
  decide(state, start16({ meterStart: 1000 }, 1001))
  decide(state, start16({ meterStart: 7000, timestamp: '2026-03-01T12:00:00.000Z' }, 1002))
  decide(state, stop16({ transactionId: 1001, meterStop: 6000, reason: 'PowerLoss' }))

  const first = [...state.changedTransactions].find(({ ocppId }) => ocppId === '1001')
  expect(first).toMatchObject({ energyWh: 5000n, stoppedReason: 'PowerLoss' })
  expect(first?.flags).not.toContain('conflict')
  expect(first?.endedAt).toEqual(new Date('2026-03-01T11:00:00.000Z'))
})

test('what an EVSE can deliver is what the operator says: a session of more is held', () => {
  const station = (maxPowerW?: number) =>
    chargingState({ switches: new Map([['CP-1', maxPowerW === undefined ? {} : { maxPowerW }]]) })
  const charge = (state: ReturnType<typeof station>) => {
    decide(state, start16({ meterStart: 0 }))
    return decide(state, stop16({ meterStop: 55_000 })).events?.map(({ type }) => type)
  }

  expect(charge(station(22_000))).toEqual(['transaction.ended', 'transaction.held'])
  expect(charge(station(50_000))).toEqual(['transaction.ended'])
  expect(charge(station())).toEqual(['transaction.ended'])
})

test.each([
  ['a start of 1970', { timestamp: '1970-01-01T00:00:07Z' }, 60],
  ['a Stop of 1970', { meterStart: 1000 }, 0],
])('%s makes no session of half a century', (_, start, minutes) => {
  const state = chargingState({ switches: new Map([['CP-1', { maxPowerW: 11_000 }]]) })
  const stop = { timestamp: minutes > 0 ? minute(minutes) : '1970-01-01T01:00:00Z' }
  const heard = (minutes: number) => ({ receivedAt: new Date(minute(minutes)) })
  decide(state, start16(start, 1, heard(0)))
  decide(state, stop16({ transactionId: 1, meterStop: 12_000, ...stop }, heard(60)))
  decide(state, start16({ ...start, connectorId: 2 }, 2, heard(0)))
  decide(state, stop16({ transactionId: 2, meterStop: 41_000, ...stop }, heard(60)))

  expect([...state.changedTransactions].map(({ heldReasons }) => heldReasons)).toEqual([[], ['power-implausible']])
})

test('without the switch the one before stays open and is marked', () => {
  const state = chargingState()
  decide(state, start16({}, 1001))
  decide(state, start16({ timestamp: '2026-03-01T12:00:00.000Z' }, 1002))

  const first = [...state.changedTransactions].find(({ ocppId }) => ocppId === '1001')
  expect(first).toMatchObject({ status: 'active', endedAt: null, flags: ['superseded'] })
  expect(first?.startedAt).toEqual(new Date(startedAt))
})
