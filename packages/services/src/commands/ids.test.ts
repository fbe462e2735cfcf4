import { actionTable, type Protocol, validate } from '@busbar/ocpp'
import { expect, test } from 'vitest'
import { type CounterName, type Counters, fillIds, idFieldsOf, placeholders } from './ids.js'

function counting(start = 0): Counters & { named: [CounterName, number][] } {
  let value = start
  const named: [CounterName, number][] = []
  return { next: () => ++value, used: (counter, id) => void named.push([counter, id]), named }
}

test('ids a payload omits are filled in, at any depth', () => {
  const payload = { idToken: { idToken: 'A', type: 'Central' }, chargingProfile: { stackLevel: 0 } }
  expect(fillIds('ocpp2.0.1', 'RequestStartTransaction', payload, counting(4))).toEqual({
    ...payload,
    remoteStartId: 5,
    chargingProfile: { stackLevel: 0, id: 6 },
  })
})

test('an id belongs only where the object around it is given', () => {
  expect(fillIds('ocpp1.6', 'RemoteStartTransaction', { idTag: 'A' }, counting())).toEqual({ idTag: 'A' })
})

test('a payload that names its ids stays as it is, and they are noted', () => {
  const counters = counting()
  const payload = { requestId: 0, reportBase: 'FullInventory' }
  expect(fillIds('ocpp2.0.1', 'GetBaseReport', payload, counters)).toBe(payload)
  expect(counters.named).toEqual([['requestId', 0]])
})

test('an id that is none is left for the schema to refuse', () => {
  for (const requestId of [null, 'one', 1.5, 2 ** 31, -1]) {
    const counters = counting()
    expect(fillIds('ocpp2.0.1', 'GetBaseReport', { requestId }, counters)).toEqual({ requestId })
    expect(counters.named).toEqual([])
  }
})

test('every id the schemas of the CSMS require at the top is known here, but those that point to something there', () => {
  const pointing = /GetTransactionStatus|Cancel|Clear|RemoteStop|RequestStop|connectorId|evseId|transactionId/
  const rows = (['ocpp1.6', 'ocpp2.0.1'] as const).flatMap((protocol) =>
    actionTable[protocol].filter(({ sender }) => sender === 'csms').map(({ action }) => ({ protocol, action })),
  )
  const missing = rows.flatMap(({ protocol, action }) =>
    requiredIds(protocol, action)
      .filter((field) => !pointing.test(`${action}.${field}`))
      .map((field) => ({ protocol, action, field })),
  )
  expect(
    missing.filter(
      ({ protocol, action, field }) => !idFieldsOf(protocol, action).some(({ path }) => path[0] === field),
    ),
  ).toEqual([])
})

/** What the validator asks for, one after the other, in an otherwise empty payload. */
function requiredIds(protocol: Protocol, action: string): string[] {
  const payload: Record<string, unknown> = {}
  const ids: string[] = []
  for (let round = 0; round < 20; round += 1) {
    const [violation] = validate(protocol, action, 'request', payload, 'outbound')
    const field = /required property '(\w+)'/.exec(violation?.message ?? '')?.[1]
    if (violation?.path !== '' || field === undefined) return ids
    if (/(Id|^id|Version|VersionNumber|versionNumber)$/.test(field)) ids.push(field)
    payload[field] = 1
  }
  return ids
}

test('a payload without its ids passes the check with placeholders', () => {
  const payload = fillIds('ocpp2.0.1', 'GetBaseReport', { reportBase: 'FullInventory' }, placeholders)
  expect(validate('ocpp2.0.1', 'GetBaseReport', 'request', payload, 'outbound')).toEqual([])
})
