import { expect, test } from 'vitest'
import { chargingState, decide, meterValues16, minute, start16, stop16 } from '../testing.js'

type State = ReturnType<typeof chargingState>
const find = (state: State, ocppId: string) => state.findByOcppId('CP-1', ocppId)

test('UC16-Meter-1: readings go to their transaction, and its energy follows', () => {
  const state = chargingState()
  decide(state, start16())
  const decision = decide(state, meterValues16({ transactionId: 1001 }, { [minute(10)]: 1600 }))
  expect(decision.result).toEqual({})
  expect(decision.events?.map(({ type }) => type)).toEqual(['transaction.updated'])
  expect(find(state, '1001')).toMatchObject({ energyWh: 600n })
  expect(state.newReadings).toMatchObject([
    { evseNumber: 1, connectorNumber: 1, sampledAt: new Date(minute(10)), samples: [{ value: '1600' }] },
  ])
})

test('kWh, phases and signed values are kept as sent', () => {
  const state = chargingState()
  decide(state, start16())
  const sampledValue = [
    { value: ' 1.6005 ', unit: 'kWh' },
    { value: 'a1b2c3', format: 'SignedData', context: 'Transaction.End' },
    { value: '230', measurand: 'Voltage', phase: 'L1-N' },
  ]
  const record = meterValues16({ transactionId: 1001 }, {})
  record.payload.meterValue = [{ timestamp: minute(10), sampledValue }]
  decide(state, record)
  expect(state.newReadings[0]?.samples).toEqual(sampledValue)
  // 600.5 Wh, half up.
  expect(find(state, '1001')).toMatchObject({ energyWh: 601n })
})

test('without a transactionId they stay with the connector, 0 being the station', () => {
  const state = chargingState()
  decide(state, start16())
  decide(state, meterValues16({}, { [minute(10)]: 1600 }))
  decide(state, meterValues16({ connectorId: 0 }, { [minute(10)]: 99 }))
  expect(find(state, '1001')).toMatchObject({ energyWh: null })
  expect(state.newReadings).toMatchObject([
    { transactionId: null, evseNumber: 1, connectorNumber: 1 },
    { transactionId: null, evseNumber: 0, connectorNumber: 0 },
  ])
})

test('-1 and 0 mean the one transaction that is open on the connector', () => {
  const state = chargingState()
  decide(state, start16())
  decide(state, meterValues16({ transactionId: -1 }, { [minute(10)]: 1600 }))
  expect(find(state, '1001')).toMatchObject({ energyWh: 600n, flags: ['matched'] })
  decide(state, meterValues16({ transactionId: 0, connectorId: 2 }, { [minute(10)]: 5 }))
  expect(state.newReadings[1]).toMatchObject({ transactionId: null, evseNumber: 2 })
})

test('an unknown id is kept as an orphan', () => {
  const state = chargingState()
  expect(decide(state, meterValues16({ transactionId: 77 }, { [minute(1)]: 10, [minute(2)]: 20 })).result).toEqual({})
  expect(find(state, '77')).toMatchObject({ status: 'orphan', energyWh: 10n, evseNumber: 1 })
})

test('after the Stop they are still kept; the total of Start and Stop stands', () => {
  const state = chargingState()
  decide(state, start16())
  decide(state, stop16())
  const decision = decide(state, meterValues16({ transactionId: 1001 }, { [minute(59)]: 5990 }))
  expect(find(state, '1001')).toMatchObject({ energyWh: 5000n, status: 'ended', flags: ['late'] })
  expect(decision.events?.map(({ type }) => type)).toEqual(['transaction.updated'])
})

test('after a Stop without a reading they correct the total', () => {
  const state = chargingState()
  decide(state, start16())
  decide(state, stop16({ meterStop: -1 }))
  const decision = decide(state, meterValues16({ transactionId: 1001 }, { [minute(59)]: 5990 }))
  expect(find(state, '1001')).toMatchObject({ energyWh: 4990n, flags: ['corrected', 'late'] })
  expect(decision.events).toMatchObject([
    { type: 'transaction.corrected', data: { energyWh: 4990, previousEnergyWh: null } },
  ])
})

test('the same readings again change nothing', () => {
  const state = chargingState()
  decide(state, start16())
  decide(state, stop16())
  const record = () => meterValues16({ transactionId: 1001 }, { [minute(30)]: 3000 })
  decide(state, record())
  const before = structuredClone(find(state, '1001'))
  expect(decide(state, record()).events).toBeUndefined()
  expect(find(state, '1001')).toEqual(before)
})

test('an empty or broken list of samples is answered', () => {
  const state = chargingState()
  for (const meterValue of [[], [{ timestamp: minute(1), sampledValue: [] }], 'x', undefined]) {
    const record = meterValues16({ transactionId: 1001 }, {})
    record.payload.meterValue = meterValue
    expect(decide(state, record).result).toEqual({})
  }
  expect(state.newReadings).toEqual([])
})

test('of the updates of a transaction in one batch only the last is told, and none in place of anything else', () => {
  const state = chargingState()
  const started = decide(state, start16({ meterStart: 1000 }))
  const first = decide(state, meterValues16({ transactionId: 1001 }, { [minute(1)]: 1100 }))
  const second = decide(state, meterValues16({ transactionId: 1001 }, { [minute(2)]: 1200 }))
  const ended = decide(state, stop16({ meterStop: 1300 }))
  const told = [started, first, second, ended].map(({ events = [] }) => events.map(({ type }) => type))

  expect(told).toEqual([['transaction.started'], [], ['transaction.updated'], ['transaction.ended']])
  expect(second.events).toMatchObject([{ data: { energyWh: 200 } }])
})
