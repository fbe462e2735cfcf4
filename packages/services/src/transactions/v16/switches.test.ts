import { expect, test } from 'vitest'
import {
  acceptedToken,
  authorize16,
  chargingState,
  decide,
  meterValues16,
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

test('without the switch the one before stays open and is marked', () => {
  const state = chargingState()
  decide(state, start16({}, 1001))
  decide(state, start16({ timestamp: '2026-03-01T12:00:00.000Z' }, 1002))

  const first = [...state.changedTransactions].find(({ ocppId }) => ocppId === '1001')
  expect(first).toMatchObject({ status: 'active', endedAt: null, flags: ['superseded'] })
  expect(first?.startedAt).toEqual(new Date(startedAt))
})
