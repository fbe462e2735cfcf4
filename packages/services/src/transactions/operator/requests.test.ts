import { expect, test } from 'vitest'
import type { ChargingState } from '../state.js'
import {
  chargingState,
  decide,
  event201,
  meterValue201,
  meterValues16,
  minute,
  operatorRequest,
  start16,
  startedAt,
  stop16,
} from '../testing.js'
import type { OperatorRequest } from './request.js'

const find = (state: ChargingState, ocppId = '1001') => {
  const transaction = state.findByOcppId('CP-1', ocppId)
  if (!transaction) throw new Error(`no transaction ${ocppId}`)
  return transaction
}
const ask = (state: ChargingState, request: Partial<OperatorRequest> = {}, ocppId = '1001') =>
  decide(state, operatorRequest(find(state, ocppId).id, request))
const correct = (content: OperatorRequest['content']) => ({ kind: 'correct' as const, content, reason: 'Meter read' })
const lastCorrection = (state: ChargingState) => state.newCorrections.at(-1)

/** Runs, with readings of 1000 Wh at its start and 3500 after half an hour. */
function running(): ChargingState {
  const state = chargingState()
  decide(state, start16())
  decide(state, meterValues16({ transactionId: 1001 }, { [minute(30)]: 3500 }))
  return state
}

test('a closed transaction ends at its last reading, with the energy known until then', () => {
  const state = running()

  const { events, verdicts } = ask(state, { id: 'request-1' })

  expect(find(state)).toMatchObject({
    ...{ status: 'ended', endedAt: new Date(minute(30)), energyWh: 2500n, stoppedReason: 'Other', flags: ['closed'] },
  })
  expect(verdicts).toEqual([{ commandId: 'request-1', status: 'applied', response: null, error: null }])
  expect(events).toMatchObject([
    {
      type: 'transaction.ended',
      data: {
        ...{ endedAt: minute(30), energyWh: 2500 },
        correction: { id: 'request-1', kind: 'close', actor: 'Olga/key-1', reason: 'No Stop came' },
      },
    },
  ])
  expect(state.newCorrections).toMatchObject([
    {
      ...{ id: 'request-1', kind: 'close', status: 'applied', actor: 'Olga/key-1', reason: 'No Stop came' },
      before: { status: 'active', startedAt, endedAt: null, energyWh: 2500 },
      after: { status: 'ended', startedAt, endedAt: minute(30), energyWh: 2500 },
      at: new Date(minute(240)),
    },
  ])
})

test('the operator may say when it ended, between its start and now', () => {
  const refusalOf = (endedAt: string) => ask(running(), { content: { endedAt } }).verdicts?.[0]

  const state = running()
  ask(state, { content: { endedAt: minute(45) } })
  expect(find(state)).toMatchObject({ status: 'ended', endedAt: new Date(minute(45)) })
  expect(refusalOf(minute(-1))).toMatchObject({ status: 'refused', error: expect.stringContaining(startedAt) })
  expect(refusalOf(minute(241))).toMatchObject({ status: 'refused', error: 'That end is still to come.' })
})

test('what is over, or whose start nobody knows, is not closed', () => {
  const state = running()
  decide(state, stop16())
  decide(state, meterValues16({ transactionId: 77 }, { [minute(5)]: 10 }))

  expect(ask(state).verdicts).toMatchObject([{ status: 'refused', error: 'It has ended already.' }])
  expect(ask(state, {}, '77').verdicts).toMatchObject([{ status: 'refused' }])
  expect(find(state)).toMatchObject({ endedAt: new Date(minute(60)), flags: [] })
  expect(state.newCorrections).toMatchObject([
    { status: 'refused', refusal: 'It has ended already.', before: { status: 'ended' }, after: { status: 'ended' } },
    { status: 'refused', before: { status: 'orphan' } },
  ])
})

test('a Stop that comes after all tells the true end, as a correction', () => {
  const state = running()
  ask(state)

  const { events, answer } = decide(state, stop16({}, { receivedAt: new Date(minute(300)) }))

  expect(answer).toEqual({ result: {} })
  expect(find(state)).toMatchObject({
    ...{ status: 'ended', endedAt: new Date(minute(60)), energyWh: 5000n, stoppedReason: 'Local' },
    flags: ['closed', 'corrected', 'late'],
  })
  expect(events).toMatchObject([
    {
      type: 'transaction.corrected',
      data: { energyWh: 5000, previousEnergyWh: 2500, correction: { kind: 'evidence' } },
    },
  ])
  expect(lastCorrection(state)).toMatchObject({
    ...{ kind: 'evidence', actor: 'station', status: 'applied', at: new Date(minute(300)) },
    before: { endedAt: minute(30), energyWh: 2500 },
    after: { endedAt: minute(60), energyWh: 5000 },
  })
})

test('a corrected total stands, whatever the station still tells; that is a conflict', () => {
  const state = running()
  ask(state)
  const { events } = ask(state, { ...correct({ energyWh: 4200 }), id: 'request-2' })

  expect(events).toMatchObject([
    {
      type: 'transaction.corrected',
      data: {
        ...{ energyWh: 4200, previousEnergyWh: 2500, energySource: 'operator' },
        correction: { id: 'request-2', kind: 'correct', reason: 'Meter read' },
      },
    },
  ])
  const late = decide(state, stop16())
  expect(find(state)).toMatchObject({
    ...{ energyWh: 4200n, endedAt: new Date(minute(60)), energySource: 'operator' },
    corrected: { energyWh: 4200, measuredEnergyWh: 5000 },
    flags: ['closed', 'conflict', 'corrected', 'late'],
  })
  expect(late.events).toMatchObject([{ type: 'transaction.corrected', data: { energyWh: 4200, endedAt: minute(60) } }])
  expect(state.newCorrections.map(({ kind }) => kind)).toEqual(['close', 'correct', 'evidence'])
})

test('times are corrected too, as long as it ends after it started', () => {
  const state = running()
  decide(state, stop16())
  const refused = ask(state, correct({ startedAt: minute(61) }))
  ask(state, correct({ startedAt: minute(-5), endedAt: minute(70) }))
  ask(state, correct({ endedAt: minute(71) }))

  expect(refused.verdicts).toMatchObject([{ status: 'refused', error: expect.stringContaining('before its start') }])
  expect(find(state)).toMatchObject({
    ...{ startedAt: new Date(minute(-5)), endedAt: new Date(minute(71)), energyWh: 5000n, energySource: 'start-stop' },
    flags: ['corrected'],
  })
})

test('only what is over is corrected', () => {
  const state = running()

  expect(ask(state, correct({ energyWh: 1 })).verdicts).toMatchObject([
    { status: 'refused', error: 'It still runs; close it first.' },
  ])
  expect(find(state)).toMatchObject({ corrected: null, energyWh: 2500n })
})

test('a held transaction is held no longer once an operator set its energy, be it to what was measured', () => {
  const state = chargingState()
  decide(state, start16({ meterStart: 9000 }))
  decide(state, stop16({ meterStop: 100 }))
  expect(find(state).heldReasons).toEqual(['negative-energy'])

  ask(state, correct({ energyWh: 0 }))

  expect(find(state)).toMatchObject({ heldReasons: [], energyWh: 0n, corrected: { measuredEnergyWh: -8900 } })
  expect(lastCorrection(state)).toMatchObject({
    before: { heldReasons: ['negative-energy'], energyWh: -8900 },
    after: { heldReasons: [], energyWh: 0 },
  })
})

test('a request that comes again changes nothing and gets its verdict once more', () => {
  const state = running()
  const request = operatorRequest(find(state).id, { id: 'request-1' })
  const first = decide(state, request)
  decide(state, stop16())
  const rows = state.newCorrections.length

  const second = decide(state, request)

  expect(second.verdicts).toEqual(first.verdicts)
  expect(second.events).toBeUndefined()
  expect(state.newCorrections).toHaveLength(rows)
  expect(find(state)).toMatchObject({ endedAt: new Date(minute(60)) })
})

test('a transaction that is not there is not closed', () => {
  const state = chargingState()

  const { verdicts } = decide(state, operatorRequest('0190c000-0000-7000-8000-000000000001'))

  expect(verdicts).toMatchObject([{ status: 'refused', error: 'There is no such transaction.' }])
  expect(state.newCorrections).toMatchObject([{ status: 'refused', before: null, after: null }])
})

test('a transaction of 2.0.1 is closed as well, and its Ended still counts', () => {
  const state = chargingState()
  const reading = (at: number, wh: number) => ({ meterValue: [meterValue201(minute(at), wh)] })
  decide(state, event201('Started', 0, reading(0, 100)))
  decide(state, event201('Updated', 1, reading(20, 900)))
  ask(state, {}, 'T-1')
  expect(find(state, 'T-1')).toMatchObject({ status: 'ended', endedAt: new Date(minute(20)), energyWh: 800n })

  decide(state, event201('Ended', 2, { timestamp: minute(50), ...reading(50, 2100) }))

  expect(find(state, 'T-1')).toMatchObject({ endedAt: new Date(minute(50)), energyWh: 2000n })
  expect(lastCorrection(state)).toMatchObject({
    kind: 'evidence',
    before: { energyWh: 800 },
    after: { energyWh: 2000 },
  })
})
