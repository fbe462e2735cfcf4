import { expect, test } from 'vitest'
import { acceptedToken, chargingState, decide, minute, start16, stop16, token } from '../testing.js'

const transactionsOf = (state: ReturnType<typeof chargingState>) => [...state.changedTransactions]

test('a start is answered with the id the gateway drew, and kept as a step', () => {
  const state = chargingState()
  const decision = decide(state, start16({ reservationId: 7 }, 1234))

  expect(decision.result).toEqual({ transactionId: 1234, idTagInfo: { status: 'Accepted' } })
  expect(transactionsOf(state)[0]).toMatchObject({
    ocppId: '1234',
    status: 'active',
    evseNumber: 1,
    connectorNumber: 1,
    tokenValue: 'ABCD1234',
    tokenId: acceptedToken.id,
    tokenStatus: 'Accepted',
    reservationId: 7,
    flags: [],
  })
  expect(decision.events?.map(({ type }) => type)).toEqual(['transaction.started'])
  expect(state.newAliases).toMatchObject([{ stationId: 'CP-1', ocppId: '1234' }])
})

test.each([
  ['unknown', [], 'Invalid'],
  ['blocked', [token({ status: 'blocked' })], 'Blocked'],
  ['expired', [token({ expiresAt: new Date('2026-01-01T00:00:00Z') })], 'Expired'],
])('UC16-Start-2: a token that is %s gets a transaction all the same', (_, tokens, status) => {
  const state = chargingState({ tokens })
  expect(decide(state, start16()).result).toEqual({
    transactionId: 1001,
    idTagInfo: expect.objectContaining({ status }),
  })
  expect(transactionsOf(state)).toMatchObject([{ status: 'active', tokenStatus: status }])
})

test('UC16-Start-1: a replay gets the first id and status, though the gateway drew another and the token was blocked', () => {
  const tokens = [{ ...acceptedToken }]
  const state = chargingState({ tokens })
  const first = decide(state, start16({}, 1001))
  if (tokens[0]) tokens[0].status = 'blocked'
  const replay = decide(state, start16({}, 2002, { messageId: 'another', connectionId: 'connection-2' }))

  expect(replay.result).toEqual(first.result)
  expect(replay.events).toBeUndefined()
  expect(state.changedTransactions.size).toBe(1)
  // The gateway may have answered with 2002 before we did: both ids mean this transaction from now on.
  expect(state.newAliases.map(({ ocppId }) => ocppId)).toEqual(['1001', '2002'])
  decide(state, stop16({ transactionId: 2002 }))
  expect(transactionsOf(state)).toMatchObject([{ status: 'ended', energyWh: 5000n }])
})

test('a replay after the Stop gets the same id and opens nothing', () => {
  const state = chargingState()
  const first = decide(state, start16())
  decide(state, stop16())
  expect(decide(state, start16({}, 3003)).result).toEqual(first.result)
  expect(transactionsOf(state)).toMatchObject([{ status: 'ended' }])
})

test('an id that is taken is drawn again', () => {
  const state = chargingState()
  decide(state, start16({}, 1001))
  const { transactionId } = decide(state, start16({ connectorId: 2 }, 1001)).result

  expect(transactionId).not.toBe(1001)
  expect(transactionId).toBeGreaterThan(0)
  expect(transactionId).toBeLessThan(2 ** 31)
  expect(state.findByOcppId('CP-1', String(transactionId))).toMatchObject({ evseNumber: 2 })
  expect(state.findByOcppId('CP-1', '1001')).toMatchObject({ evseNumber: 1 })
})

test('two stations may be given the same id and never meet', () => {
  const state = chargingState()
  decide(state, start16({}, 1001, { stationId: 'A' }))
  decide(state, start16({}, 1001, { stationId: 'B' }))
  decide(state, stop16({ transactionId: 1001 }, { stationId: 'B' }))
  expect(state.findByOcppId('A', '1001')).toMatchObject({ status: 'active', energyWh: null })
  expect(state.findByOcppId('B', '1001')).toMatchObject({ status: 'ended' })
})

test('a start on a connector that still charges marks the older one and leaves it open', () => {
  const state = chargingState()
  decide(state, start16({}, 1))
  const second = decide(state, start16({ timestamp: minute(90) }, 2))
  decide(state, start16({ connectorId: 2, timestamp: minute(90) }, 3))

  expect(transactionsOf(state).map(({ status, flags }) => ({ status, flags }))).toEqual([
    { status: 'active', flags: ['superseded'] },
    { status: 'active', flags: [] },
    { status: 'active', flags: [] },
  ])
  expect(second.events?.map(({ type }) => type)).toEqual(['transaction.updated', 'transaction.started'])
  decide(state, stop16({ transactionId: 1 }))
  expect(state.findByOcppId('CP-1', '1')).toMatchObject({ status: 'ended', energyWh: 5000n })
})

test('whichever start comes last, the older one is superseded', () => {
  const state = chargingState()
  decide(state, start16({ timestamp: minute(90) }, 2))
  decide(state, start16({}, 1))
  expect(state.findByOcppId('CP-1', '1')?.flags).toEqual(['superseded'])
  expect(state.findByOcppId('CP-1', '2')?.flags).toEqual([])
})

test('a clock of 1970 supersedes by when it was received', () => {
  const state = chargingState()
  decide(state, start16({}, 1))
  const receivedAt = new Date(minute(90))
  decide(state, start16({ timestamp: '1970-01-01T00:00:07Z' }, 2, { receivedAt }))
  expect(state.findByOcppId('CP-1', '1')?.flags).toEqual(['superseded'])
  expect(state.findByOcppId('CP-1', '2')?.flags).toEqual(['clock'])
})

test('after a reboot the same session of 1970 is another one', () => {
  const payload = { timestamp: '1970-01-01T00:00:07Z' }
  const first = chargingState({ bootCounts: new Map([['CP-1', 1]]) })
  decide(first, start16(payload, 1))
  expect(decide(first, start16(payload, 2)).result.transactionId).toBe(1)
  const second = chargingState({
    bootCounts: new Map([['CP-1', 2]]),
    transactions: transactionsOf(first),
    aliases: first.newAliases,
    steps: [...first.changedSteps],
  })
  expect(decide(second, start16(payload, 3)).result.transactionId).toBe(3)
})

test('an orphan that was waiting for its start becomes this transaction', () => {
  const state = chargingState()
  decide(state, stop16({ transactionId: 1001 }))
  expect(transactionsOf(state)).toMatchObject([{ status: 'orphan', startedAt: null }])
  decide(state, start16({}, 1001))
  expect(transactionsOf(state)).toMatchObject([{ status: 'ended', energyWh: 5000n, flags: ['corrected', 'late'] }])
})

test('an idTag registered as a key code is masked everywhere', () => {
  const state = chargingState({ tokens: [token({ value: '987654', type: 'KeyCode' })] })
  const decision = decide(state, start16({ idTag: '987654' }))
  expect(decision.result).toMatchObject({ idTagInfo: { status: 'Accepted' } })
  decide(state, stop16({ idTag: '987654' }))
  const kept = [...transactionsOf(state), ...state.changedSteps, ...(decision.events ?? []), ...state.newAliases]
  expect(JSON.stringify(kept, (_, value) => (typeof value === 'bigint' ? String(value) : value))).not.toContain(
    '987654',
  )
})

test('a start without the fields nobody can guess is refused, and the state stays empty', () => {
  const state = chargingState()
  expect(() => decide(state, start16({ meterStart: undefined }))).toThrow('meterStart')
  expect(state.changedTransactions.size).toBe(0)
})
