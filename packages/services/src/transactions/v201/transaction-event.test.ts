import { describe, expect, test } from 'vitest'
import { acceptedToken, chargingState, decide, event201, idToken, meterValue201, minute, token } from '../testing.js'

type State = ReturnType<typeof chargingState>
const find = (state: State, id = 'T-1') => state.findByKey(`201|CP-1|${id}`)
const types = (decision: ReturnType<typeof decide>) => decision.events?.map(({ type }) => type) ?? []
const withToken = { idToken: idToken('ABCD1234'), triggerReason: 'Authorized' }
const info = (transactionInfo: object) => ({ transactionInfo: { transactionId: 'T-1', ...transactionInfo } })

test('TC_E_03: cable first, then the token, then energy, then the end', () => {
  const state = chargingState()
  const plugged = decide(
    state,
    event201('Started', 0, {
      evse: { id: 1, connectorId: 2 },
      triggerReason: 'CablePluggedIn',
      ...info({ chargingState: 'EVConnected' }),
    }),
  )
  expect(plugged.result).toEqual({})
  expect(types(plugged)).toEqual(['transaction.started'])
  expect(decide(state, event201('Updated', 1, withToken)).result).toEqual({ idTokenInfo: { status: 'Accepted' } })
  decide(
    state,
    event201('Updated', 2, {
      ...info({ chargingState: 'Charging', remoteStartId: 9 }),
      meterValue: [meterValue201(minute(2), 1000)],
    }),
  )
  const ended = decide(
    state,
    event201('Ended', 3, {
      reservationId: 5,
      ...info({ stoppedReason: 'EVDisconnected', chargingState: 'Idle' }),
      meterValue: [meterValue201(minute(3), '1.7505', { unitOfMeasure: { unit: 'kWh' } })],
    }),
  )
  expect(types(ended)).toEqual(['transaction.ended'])
  expect(find(state)).toMatchObject({
    ocppId: 'T-1',
    status: 'ended',
    evseNumber: 1,
    connectorNumber: 2,
    tokenValue: 'ABCD1234',
    tokenId: acceptedToken.id,
    chargingState: 'Idle',
    remoteStartId: 9,
    reservationId: 5,
    stoppedReason: 'EVDisconnected',
    startedAt: new Date(minute(0)),
    endedAt: new Date(minute(3)),
    energyWh: 751n,
    lastSeqNo: 3,
    flags: [],
    heldReasons: [],
  })
})

test('TC_E_04, TC_J_08: EVSE, connector and the begin reading may come later', () => {
  const state = chargingState()
  decide(state, event201('Started', 0, withToken))
  decide(
    state,
    event201('Updated', 2, { evse: { id: 2, connectorId: 1 }, meterValue: [meterValue201(minute(2), 900)] }),
  )
  const begin = { context: 'Transaction.Begin' }
  decide(state, event201('Updated', 1, { meterValue: [meterValue201(minute(1), 500, begin)] }))
  expect(find(state)).toMatchObject({ evseNumber: 2, connectorNumber: 1, energyWh: 400n })
})

test('TC_E_16: a refused token is told, and the transaction kept', () => {
  const state = chargingState({ tokens: [] })
  const started = event201('Started', 0, withToken)
  expect(decide(state, started).result).toEqual({ idTokenInfo: { status: 'Unknown' } })
  expect(find(state)).toMatchObject({ status: 'active', tokenStatus: 'Unknown', tokenValue: 'ABCD1234', tokenId: null })
})

test('TC_C_39: the group stands in the answer, and the token that stopped beside the one that started', () => {
  const tokens = [token({ groupId: 'G' }), token({ id: 'b', value: 'SECOND', groupId: 'G' })]
  const state = chargingState({ tokens })
  const accepted = { idTokenInfo: { status: 'Accepted', groupIdToken: { idToken: 'G', type: 'Central' } } }
  expect(decide(state, event201('Started', 0, withToken)).result).toEqual(accepted)
  const stop = { idToken: idToken('SECOND'), triggerReason: 'StopAuthorized' }
  expect(decide(state, event201('Updated', 1, stop)).result).toEqual(accepted)
  expect(find(state)).toMatchObject({
    tokenValue: 'ABCD1234',
    stopTokenValue: 'SECOND',
    groupId: 'G',
    status: 'active',
  })
})

test('UC-C02: NoAuthorization is accepted, and no value kept', () => {
  const state = chargingState({ tokens: [] })
  const record = event201('Started', 0, { idToken: idToken('', 'NoAuthorization') })
  expect(decide(state, record).result).toEqual({ idTokenInfo: { status: 'Accepted' } })
  expect(find(state)).toMatchObject({ tokenValue: null, tokenType: 'NoAuthorization', tokenId: null })
})

test('UC-C04: a key code is masked in all that is kept and told', () => {
  const state = chargingState({ tokens: [token({ value: '987654', type: 'KeyCode' })] })
  const decision = decide(state, event201('Started', 0, { idToken: idToken('987654', 'KeyCode') }))
  decide(state, event201('Updated', 1, { idToken: idToken('111222', 'keycode') }))
  expect(find(state)).toMatchObject({ tokenValue: '***', tokenType: 'KeyCode' })
  const kept = JSON.stringify([[...state.changedSteps], decision.events, find(state)], (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  expect(kept).not.toMatch(/987654|111222/)
})

test('UC-E01-csms-2: an event that comes twice gets one answer and one step, offline flag or not', () => {
  const tokens = [{ ...acceptedToken }]
  const state = chargingState({ tokens })
  const first = decide(state, event201('Started', 0, withToken))
  if (tokens[0]) tokens[0].status = 'blocked'
  const again = decide(state, event201('Started', 0, { ...withToken, offline: true }, { connectionId: 'connection-2' }))
  expect(again.result).toEqual(first.result)
  expect(again.events).toBeUndefined()
  expect(state.changedSteps.size).toBe(1)
  expect(find(state)).toMatchObject({ flags: [] })
})

test('TC_E_31: events skipped before the end close the gap and do not reopen', () => {
  const state = chargingState()
  decide(state, event201('Started', 0, withToken))
  decide(state, event201('Ended', 3, { offline: true, ...info({ stoppedReason: 'EVDisconnected' }) }))
  expect(find(state)).toMatchObject({ status: 'ended', flags: ['gap'] })
  decide(state, event201('Updated', 1, { offline: true, triggerReason: 'StopAuthorized' }))
  decide(state, event201('Updated', 2, { offline: true, ...info({ chargingState: 'EVConnected' }) }))
  expect(find(state)).toMatchObject({ status: 'ended', flags: ['late'], chargingState: 'EVConnected' })
})

test('UC-E01-csms-3: an event of an unknown transaction is kept as an orphan until its start comes', () => {
  const state = chargingState()
  expect(types(decide(state, event201('Ended', 2)))).toEqual(['transaction.ended'])
  expect(find(state)).toMatchObject({ status: 'orphan', endedAt: new Date(minute(2)), flags: ['gap'] })
  decide(state, event201('Updated', 1))
  expect(types(decide(state, event201('Started', 0)))).toEqual(['transaction.started'])
  expect(find(state)).toMatchObject({ status: 'ended', flags: ['late'] })
})

test('UC-E01-csms-4: a seqNo used for something else: both are kept, the transaction says so', () => {
  const state = chargingState()
  decide(state, event201('Started', 0))
  decide(state, event201('Started', 0, { timestamp: minute(5) }))
  expect(find(state)).toMatchObject({ flags: ['conflict'], startedAt: new Date(minute(0)) })
  expect(state.changedSteps.size).toBe(2)
})

test('TC_E_19: a second Ended is answered and changes neither time nor reason', () => {
  const state = chargingState()
  decide(state, event201('Started', 0))
  decide(state, event201('Ended', 1, info({ stoppedReason: 'EVDisconnected' })))
  expect(decide(state, event201('Ended', 2, info({ stoppedReason: 'Local' }))).result).toEqual({})
  expect(find(state)).toMatchObject({ endedAt: new Date(minute(1)), stoppedReason: 'EVDisconnected' })
})

test('TC_E_53: the same seqNo in another transaction, or at another station, is another step', () => {
  const state = chargingState()
  for (const transactionId of ['A', 'B']) decide(state, event201('Started', 0, { transactionInfo: { transactionId } }))
  decide(state, event201('Started', 0, { transactionInfo: { transactionId: 'A' } }, { stationId: 'CP-2' }))
  expect([...state.changedTransactions].map(({ flags }) => flags)).toEqual([[], [], []])
})

test('a reason that is missing means Local', () => {
  const state = chargingState()
  decide(state, event201('Ended', 0))
  expect(find(state)).toMatchObject({ stoppedReason: 'Local' })
})

test('a reading that comes after the end and changes the total is a correction', () => {
  const state = chargingState()
  decide(state, event201('Started', 0, { meterValue: [meterValue201(minute(0), 100)] }))
  decide(state, event201('Ended', 2, { meterValue: [meterValue201(minute(2), 900)] }))
  const late = decide(state, event201('Updated', 1, { meterValue: [meterValue201(minute(-1), 50)] }))
  expect(late.events).toMatchObject([{ type: 'transaction.corrected', data: { energyWh: 850, previousEnergyWh: 800 } }])
  expect(find(state)).toMatchObject({ energyWh: 850n, flags: ['corrected', 'late'] })
})

test('signed meter values are kept byte for byte', () => {
  const signedMeterValue = {
    signedMeterData: 'T0NNRnx7\u00e9+/=',
    signingMethod: '',
    encodingMethod: 'OCMF',
    publicKey: '',
  }
  const state = chargingState()
  decide(state, event201('Started', 0, { meterValue: [meterValue201(minute(0), 0, { signedMeterValue })] }))
  expect(state.newReadings[0]?.samples).toEqual([{ value: 0, signedMeterValue }])
})

describe('clocks', () => {
  test('a station in 1970 keeps its times, is marked, and its energy is exact', () => {
    const state = chargingState()
    const at = (seconds: number) => new Date(seconds * 1000).toISOString()
    decide(state, event201('Started', 0, { timestamp: at(5), meterValue: [meterValue201(at(5), 10)] }))
    decide(state, event201('Ended', 1, { timestamp: minute(3), meterValue: [meterValue201(minute(3), 35)] }))
    expect(find(state)).toMatchObject({ startedAt: new Date(5000), energyWh: 25n, flags: ['clock'] })
  })

  test('a clock that ran ahead and was set back does not turn the registers round', () => {
    const state = chargingState()
    const ahead = '2036-03-01T10:00:00Z'
    decide(state, event201('Started', 0, { timestamp: ahead, meterValue: [meterValue201(ahead, 10)] }))
    decide(state, event201('Ended', 1, { meterValue: [meterValue201(minute(1), 35)] }))
    expect(find(state)).toMatchObject({ energyWh: 25n, heldReasons: [] })
  })

  test.each([undefined, '0', 'garbage', '0000-00-00T00:00:00Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59-05:00'])(
    'a timestamp of %s is the time of receipt',
    (timestamp) => {
      const state = chargingState()
      const receivedAt = new Date(minute(7))
      decide(state, event201('Started', 0, { timestamp }, { receivedAt }))
      expect(find(state)).toMatchObject({ startedAt: receivedAt, flags: ['clock'] })
    },
  )
})

test('numbers no column can hold are left out, the event is kept', () => {
  const state = chargingState()
  const evse = { id: 2 ** 40, connectorId: -1 }
  decide(state, event201('Started', 0, { evse, reservationId: 2 ** 33, ...info({ remoteStartId: 2 ** 33 }) }))
  decide(state, event201('Updated', 1, { seqNo: 2 ** 40 }))
  expect(find(state)).toMatchObject({ evseNumber: null, connectorNumber: null, reservationId: null, lastSeqNo: 0 })
})
