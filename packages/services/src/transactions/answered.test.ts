import { expect, test } from 'vitest'
import {
  answered,
  chargingState,
  decide,
  event201,
  idToken,
  meterValues16,
  minute,
  start16,
  stop16,
  token,
} from './testing.js'

const blocked = [token({ status: 'blocked' })]
const safe16 = { transactionId: 1001, idTagInfo: { status: 'Accepted' } }
const safe201 = { idTokenInfo: { status: 'Accepted' } }

test('a refused 1.6 start that had been answered is stopped, by the id the station was given', () => {
  const state = chargingState({ tokens: blocked })
  const start = start16()
  decide(state, start)
  expect(decide(state, answered(start, safe16)).commands).toMatchObject([
    {
      action: 'RemoteStopTransaction',
      payload: { transactionId: 1001 },
      afterSequence: { connectionId: start.connectionId, sequence: start.sequence },
    },
  ])
  expect(state.findByOcppId('CP-1', '1001')).toMatchObject({ flags: ['undecided'] })
  expect([...state.changedSteps][0]).toMatchObject({ flags: ['undecided'] })
})

test('an accepted one goes on, marked', () => {
  const state = chargingState()
  const start = start16()
  decide(state, start)
  expect(decide(state, answered(start, safe16)).commands).toBeUndefined()
  expect(state.findByOcppId('CP-1', '1001')).toMatchObject({ flags: ['undecided'] })
})

test('a refused 2.0.1 token is stopped by the id of the station', () => {
  const state = chargingState({ tokens: blocked })
  const event = event201('Started', 0, { idToken: idToken('ABCD1234') })
  decide(state, event)
  expect(decide(state, answered(event, safe201)).commands).toMatchObject([
    { action: 'RequestStopTransaction', payload: { transactionId: 'T-1' } },
  ])
})

test('what has ended is not stopped, nor what was stopped with a refused token', () => {
  const ended = chargingState({ tokens: blocked })
  const start = start16()
  decide(ended, start)
  decide(ended, stop16())
  expect(decide(ended, answered(start, safe16)).commands).toBeUndefined()
  const running = chargingState({ tokens: blocked })
  decide(running, event201('Started', 0))
  const stop = event201('Updated', 1, { idToken: idToken('ABCD1234'), triggerReason: 'StopAuthorized' })
  decide(running, stop)
  expect(decide(running, answered(stop, safe201)).commands).toBeUndefined()
})

test('a replay that was answered is found, though its first frame went with another connection', () => {
  const state = chargingState({ tokens: blocked })
  decide(state, start16({}, 1001, { connectionId: 'connection-1' }))
  const replay = start16({}, 2002, { connectionId: 'connection-2' })
  decide(state, replay)
  const { commands } = decide(state, answered(replay, { ...safe16, transactionId: 2002 }))
  expect(commands).toMatchObject([{ payload: { transactionId: 2002 } }])
})

test('the id of a replay that was answered means the same transaction', () => {
  const state = chargingState()
  decide(state, start16({}, 1001))
  const replay = start16({}, 2002)
  decide(state, replay)
  decide(state, answered(replay, { ...safe16, transactionId: 2002 }))
  decide(state, meterValues16({ transactionId: 2002 }, { [minute(5)]: 1500 }))
  expect(state.changedTransactions.size).toBe(1)
  expect(state.findByOcppId('CP-1', '1001')).toMatchObject({ energyWh: 500n })
})

test('an answer to a frame we know nothing of is passed over', () => {
  expect(decide(chargingState(), answered(start16(), safe16))).toMatchObject({ result: {} })
})
