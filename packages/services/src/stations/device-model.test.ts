import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decisionContext, inboundCall } from '../pipeline/testing.js'
import type { StationsState } from './state.js'
import { decideRecord, stationsState } from './testing.js'

function report(state: StationsState, payload: object) {
  const request = { requestId: 7, generatedAt: '2026-03-01T09:00:00Z', seqNo: 0, ...payload }
  const record = inboundCall('NotifyReport', request, { answer: 'log' })
  return decideRecord(record, state, decisionContext(record))
}

function variable(name: string, attribute: object = { value: '1' }, component: object = { name: 'Connector' }) {
  return { component, variable: { name }, variableAttribute: [attribute] }
}

const values = (state: StationsState) =>
  Object.fromEntries([...state.changedVariables.values()].map((row) => [row.variableKey, row.value]))

test('a report changes the device model only when its last part is there', () => {
  const state = stationsState()

  const first = report(state, { seqNo: 0, tbc: true, reportData: [variable('A')] })
  expect(values(state)).toEqual({})
  expect(first).toEqual({ answer: { result: {} } })

  const last = report(state, { seqNo: 1, reportData: [variable('B')] })
  expect(values(state)).toEqual({ a: '1', b: '1' })
  expect(last.events).toEqual([
    { type: 'report.completed', subject: 'report/7', data: { requestId: 7, attributes: 2 } },
  ])
})

test('the commands service is told when a report is complete', () => {
  const { records } = report(stationsState(), { reportData: [] })

  expect(records).toEqual([
    expect.objectContaining({
      topic: 'busbar.ocpp.commands',
      key: 'CP-1',
      value: '{"type":"report","requestId":7,"complete":true}',
      headers: expect.objectContaining({ type: 'follow-up', station: 'CP-1' }),
    }),
  ])
})

test('in any order, with any repetition, the parts give one device model', () => {
  const order = fc
    .array(fc.constantFrom(0, 1, 2, 3, 4), { maxLength: 12 })
    .chain((extra) => fc.shuffledSubarray([0, 1, 2, 3, 4, ...extra], { minLength: 5 + extra.length }))
  fc.assert(
    fc.property(order, (seqNos) => {
      const state = stationsState()
      const ends = seqNos.flatMap(
        (seqNo) =>
          report(state, { seqNo, tbc: seqNo < 4, reportData: [variable(`V${seqNo}`, { value: String(seqNo) })] })
            .events ?? [],
      )
      expect(values(state)).toEqual({ v0: '0', v1: '1', v2: '2', v3: '3', v4: '4' })
      expect(ends.length).toBeGreaterThanOrEqual(1)
    }),
  )
})

test('two reports of one station are kept apart', () => {
  const state = stationsState()

  report(state, { requestId: 1, seqNo: 0, tbc: true, reportData: [variable('A')] })
  report(state, { requestId: 2, seqNo: 1, tbc: false, reportData: [variable('B')] })

  expect(values(state)).toEqual({})
})

test('names are compared folded, kept as sent, with EVSE, connector, instances and attributes apart', () => {
  const state = stationsState()
  const evse = { id: 1, connectorId: 2 }
  const characteristics = { dataType: 'integer', supportsMonitoring: true, maxLimit: 32 }

  report(state, {
    reportData: [
      {
        component: { name: 'Connector', instance: 'Left', evse },
        variable: { name: 'MaxCurrent', instance: 'L1' },
        variableAttribute: [
          { value: '16', mutability: 'ReadWrite', persistent: true },
          { type: 'MaxSet', value: '32', constant: true },
        ],
        variableCharacteristics: characteristics,
      },
      variable('maxcurrent', { value: '10' }),
      variable('MAXCURRENT', { value: '11' }),
    ],
  })

  const rows = [...state.changedVariables.values()]
  expect(rows).toHaveLength(3)
  expect(rows[0]).toMatchObject({
    component: 'Connector',
    componentKey: 'connector',
    componentInstance: 'left',
    evseNumber: 1,
    connectorNumber: 2,
    variable: 'MaxCurrent',
    variableKey: 'maxcurrent',
    variableInstance: 'l1',
    attributeType: 'Actual',
    value: '16',
    mutability: 'ReadWrite',
    persistent: true,
    characteristics,
  })
  expect(rows[1]).toMatchObject({ attributeType: 'MaxSet', value: '32', constant: true })
  expect(rows[2]).toMatchObject({ variable: 'MAXCURRENT', value: '11', evseNumber: -1, connectorNumber: -1 })
})

test('numbers beyond 32 bits cost nothing but their own rows', () => {
  const state = stationsState()

  expect(report(state, { requestId: 3_000_000_000, reportData: [variable('A')] })).toEqual({ answer: { result: {} } })
  report(state, { reportData: [variable('B', { value: '1' }, { name: 'EVSE', evse: { id: 2 ** 40 } }), variable('C')] })

  expect(values(state)).toEqual({ c: '1' })
})

test('a requestId that is used again starts a new report', () => {
  const state = stationsState()
  report(state, { seqNo: 0, tbc: true, reportData: [variable('A', { value: 'old' })] })

  report(state, { seqNo: 0, tbc: true, reportData: [variable('A', { value: 'new' })] })
  report(state, { seqNo: 1, reportData: [] })

  expect(values(state)).toEqual({ a: 'new' })
})

test('a password that a station reports is not kept', () => {
  const state = stationsState()

  report(state, { reportData: [variable('BasicAuthPassword', { value: 'hunter22' }, { name: 'SecurityCtrlr' })] })

  expect(values(state)).toEqual({ basicauthpassword: '***' })
})
