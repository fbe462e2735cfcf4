import { expect, test } from 'vitest'
import { acceptedToken, chargingState, decide, event201, idToken, minute, start16, stop16, token } from './testing.js'

const once = [token({ maxTransactions: 1 })]
const status = (state: ReturnType<typeof chargingState>, record: Parameters<typeof decide>[1]) => {
  const { idTagInfo, idTokenInfo } = decide(state, record).result
  return ((idTagInfo ?? idTokenInfo) as { status: string }).status
}
const tokenEvent = (transactionId: string, overrides: object = {}) =>
  event201('Started', 0, { idToken: idToken('ABCD1234'), transactionInfo: { transactionId }, ...overrides })

test('UC16-Auth-1: one transaction too many is told at the start, and kept', () => {
  const state = chargingState({ tokens: once })
  expect(status(state, start16({}, 1))).toBe('Accepted')
  expect(status(state, start16({ connectorId: 2 }, 2))).toBe('ConcurrentTx')
  expect(state.findByOcppId('CP-1', '2')).toMatchObject({ status: 'active', tokenStatus: 'ConcurrentTx' })
})

test('without a limit any number may run', () => {
  const state = chargingState()
  for (const connectorId of [1, 2, 3]) expect(status(state, start16({ connectorId }, connectorId))).toBe('Accepted')
})

test('an ended transaction counts no more', () => {
  const state = chargingState({ tokens: once })
  decide(state, start16({}, 1))
  decide(state, stop16({ transactionId: 1 }))
  expect(status(state, start16({ connectorId: 2, timestamp: minute(90) }, 2))).toBe('Accepted')
})

test('a superseded one counts no more, nor does one the start itself supersedes', () => {
  const state = chargingState({ tokens: once })
  decide(state, start16({}, 1))
  expect(status(state, start16({ timestamp: minute(90) }, 2))).toBe('Accepted')
})

test('an orphan does not count', () => {
  const state = chargingState({ tokens: once })
  decide(state, event201('Updated', 3, { idToken: idToken('ABCD1234'), transactionInfo: { transactionId: 'lost' } }))
  expect(status(state, tokenEvent('T-2'))).toBe('Accepted')
})

test('the transaction a token is presented for does not count against it', () => {
  const state = chargingState({ tokens: once })
  expect(status(state, tokenEvent('T-1'))).toBe('Accepted')
  expect(status(state, event201('Updated', 1, { idToken: idToken('ABCD1234') }))).toBe('Accepted')
  expect(status(state, tokenEvent('T-2'))).toBe('ConcurrentTx')
})

test('to stop with a token is not to start one more', () => {
  const state = chargingState({ tokens: once })
  decide(state, tokenEvent('T-1'))
  decide(state, event201('Started', 0, { transactionInfo: { transactionId: 'T-2' } }))
  const stop = {
    idToken: idToken('ABCD1234'),
    transactionInfo: { transactionId: 'T-2' },
    triggerReason: 'StopAuthorized',
  }
  expect(status(state, event201('Updated', 1, stop))).toBe('Accepted')
})

test('one silent since a later boot of its station does not count; what this batch hears of counts', () => {
  const before = chargingState({ tokens: once, bootCounts: new Map([['CP-1', 4]]) })
  decide(before, start16({}, 1))
  const rebooted = chargingState({
    tokens: once,
    bootCounts: new Map([['CP-1', 5]]),
    transactions: [...before.changedTransactions],
    aliases: before.newAliases,
  })
  expect(status(rebooted, start16({ connectorId: 2 }, 2))).toBe('Accepted')
  expect(status(rebooted, start16({ connectorId: 3 }, 3))).toBe('ConcurrentTx')
})

test('transactions at other stations count', () => {
  const running = [{ tokenId: acceptedToken.id, transactionId: '0190c000-0000-7000-8000-000000000001' }]
  expect(status(chargingState({ tokens: once, running }), start16())).toBe('ConcurrentTx')
})

test('a master pass is never one too many', () => {
  const running = [{ tokenId: acceptedToken.id, transactionId: '0190c000-0000-7000-8000-000000000001' }]
  const tokens = [token({ maxTransactions: 1, groupId: 'MASTER', masterPass: true })]
  expect(status(chargingState({ tokens, running }), tokenEvent('T-1'))).toBe('Accepted')
})
