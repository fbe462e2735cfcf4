import * as schemas16 from 'typed-ocpp/dist/ocpp16/schemas.js'
import * as schemas201 from 'typed-ocpp/dist/ocpp20/schemas.js'
import { describe, expect, test } from 'vitest'
import type { Payload } from '../protocol.js'
import { validate } from '../validate.js'
import { actionTable, findAction } from './index.js'
import type { ActionRow, AnswerKind, StationFlags } from './row.js'

const versions = [
  { protocol: 'ocpp1.6', schemas: schemas16 as Record<string, unknown>, count: 39, stationCount: 14 },
  { protocol: 'ocpp2.0.1', schemas: schemas201 as Record<string, unknown>, count: 64, stationCount: 25 },
] as const

const now = new Date('2026-01-01T00:00:00Z')
const context = { now, registration: 'Accepted', heartbeatIntervalSeconds: 300, transactionId: 7 } as const

function rowOf(protocol: 'ocpp1.6' | 'ocpp2.0.1', action: string): ActionRow {
  const row = findAction(protocol, action)
  if (!row) throw new Error(action)
  return row
}

describe.each(versions)('$protocol', ({ protocol, schemas, count, stationCount }) => {
  const rows = actionTable[protocol]

  test('every action of the schemas has one row, and no other', () => {
    const actions = new Set(Object.keys(schemas).map((title) => title.replace(/(Request|Response)$/, '')))
    expect(rows.map((row) => row.action).sort()).toEqual([...actions].sort())
    expect(rows).toHaveLength(count)
  })

  test('the station sends what the standard lets it send', () => {
    expect(rows.filter((row) => row.sender !== 'csms')).toHaveLength(stationCount)
    expect(rows.filter((row) => row.sender === 'both').map((row) => row.action)).toEqual(['DataTransfer'])
  })

  test('only what the CSMS alone sends is on the lane of commands', () => {
    for (const row of rows) expect(row.lane === 'commands', row.action).toBe(row.sender === 'csms')
  })

  test('only calls of the CSMS have bookkeepers', () => {
    for (const row of rows) if (row.sender !== 'csms') expect(row.bookkeepers, row.action).toEqual([])
  })

  test('an answer given on log fits its schema', () => {
    for (const row of rows) {
      if (row.answer === 'decision' || typeof row.answer === 'function') continue
      const answer = row.logAnswer?.({}, { now }) ?? {}
      expect(validate(protocol, row.action, 'response', answer, 'outbound'), row.action).toEqual([])
    }
  })

  test('a safe answer fits its schema, with and without a token, and tells no cost', () => {
    for (const row of rows) {
      for (const payload of [{}, { idTag: 'A', idToken: { idToken: 'A', type: 'Central' } }]) {
        const answer = row.safeAnswer?.(payload, context)
        if (!answer) continue
        expect(validate(protocol, row.action, 'response', answer, 'outbound'), row.action).toEqual([])
        expect(answer).not.toHaveProperty('totalCost')
      }
    }
  })

  test('a secret path starts at a field of the schema', () => {
    for (const row of rows) {
      for (const path of row.secretPaths) {
        const type = path.startsWith('response:') ? 'Response' : 'Request'
        const field =
          path
            .replace('response:', '')
            .replace(/^\[[^\]]*\]\./, '')
            .split(/[.[@]/)[0] ?? ''
        const { properties } = schemas[row.action + type] as { properties: Payload }
        if (field !== 'connectionData') expect(properties, row.action).toHaveProperty(field)
      }
    }
  })
})

test('every place of 2.0.1 that may hold a token is a secret path', () => {
  for (const [title, schema] of Object.entries(schemas201 as Record<string, object>)) {
    const paths = rowOf('ocpp2.0.1', title.replace(/(Request|Response)$/, '')).secretPaths
    for (const place of tokenPlaces(schema as Schema)) {
      const prefix = title.endsWith('Response') ? 'response:' : ''
      expect(paths, title).toContain(`${prefix}${place}[type=KeyCode].idToken`)
    }
  }
})

test('the actions that only report are answered on log, those with a decision are not', () => {
  const onLog = (protocol: 'ocpp1.6' | 'ocpp2.0.1') =>
    actionTable[protocol].filter((row) => row.answer === 'log').map((row) => row.action)
  expect(onLog('ocpp1.6')).toEqual([
    'DiagnosticsStatusNotification',
    'FirmwareStatusNotification',
    'LogStatusNotification',
    'MeterValues',
    'SecurityEventNotification',
    'SignedFirmwareStatusNotification',
    'StatusNotification',
  ])
  expect(onLog('ocpp2.0.1')).toEqual([
    'ClearedChargingLimit',
    'FirmwareStatusNotification',
    'LogStatusNotification',
    'MeterValues',
    'NotifyChargingLimit',
    'NotifyCustomerInformation',
    'NotifyDisplayMessages',
    'NotifyEvent',
    'NotifyMonitoringReport',
    'NotifyReport',
    'PublishFirmwareStatusNotification',
    'ReportChargingProfiles',
    'ReservationStatusUpdate',
    'SecurityEventNotification',
    'StatusNotification',
  ])
})

describe('a TransactionEvent', () => {
  const event = { eventType: 'Updated', triggerReason: 'MeterValuePeriodic', transactionInfo: { transactionId: 't' } }
  const answerTo = (payload: Payload, flags: StationFlags = { tariff: false }): AnswerKind => {
    const { answer } = rowOf('ocpp2.0.1', 'TransactionEvent')
    return typeof answer === 'function' ? answer(payload, flags) : answer
  }

  test('that only meters is answered on log', () => {
    expect(answerTo(event)).toBe('log')
    expect(answerTo({ ...event, triggerReason: 'MeterValueClock', offline: true })).toBe('log')
  })

  test.each([
    ['starts', { eventType: 'Started' }],
    ['ends', { eventType: 'Ended' }],
    ['carries a token', { idToken: { idToken: 'A', type: 'Central' } }],
    ['says that charging changed', { triggerReason: 'ChargingStateChanged' }],
    ['does not say why', { triggerReason: undefined }],
    ['belongs to a remote start', { transactionInfo: { transactionId: 't', remoteStartId: 1 } }],
  ])('that %s awaits a decision', (_, change) => {
    expect(answerTo({ ...event, ...change })).toBe('decision')
  })

  test('that meters where a tariff applies awaits its cost', () => {
    expect(answerTo(event, { tariff: true })).toBe('decision')
  })

  test('of any shape gets an answer kind', () => {
    for (const transactionInfo of [null, 'x', 7, []]) expect(answerTo({ ...event, transactionInfo })).toBe('log')
  })
})

describe('safe answers', () => {
  const safe = (protocol: 'ocpp1.6' | 'ocpp2.0.1', action: string, payload: Payload) =>
    rowOf(protocol, action).safeAnswer?.(payload, context)

  test('accept a start with the id the gateway allocated', () => {
    expect(safe('ocpp1.6', 'StartTransaction', {})).toEqual({ transactionId: 7, idTagInfo: { status: 'Accepted' } })
  })

  test('judge a token exactly when one came', () => {
    expect(safe('ocpp1.6', 'StopTransaction', {})).toEqual({})
    expect(safe('ocpp1.6', 'StopTransaction', { idTag: 'A' })).toEqual({ idTagInfo: { status: 'Accepted' } })
    expect(safe('ocpp2.0.1', 'TransactionEvent', {})).toEqual({})
    expect(safe('ocpp2.0.1', 'TransactionEvent', { idToken: {} })).toEqual({ idTokenInfo: { status: 'Accepted' } })
  })

  test('repeat the registration; a station without one waits, for half a minute', () => {
    const boot = rowOf('ocpp1.6', 'BootNotification')
    expect(boot.safeAnswer?.({}, context)).toEqual({
      status: 'Accepted',
      currentTime: '2026-01-01T00:00:00.000Z',
      interval: 300,
    })
    const waiting = { status: 'Pending', interval: 30 }
    expect(boot.safeAnswer?.({}, { ...context, registration: null })).toMatchObject(waiting)
    expect(boot.safeAnswer?.({}, { ...context, registration: 'Pending' })).toMatchObject(waiting)
  })

  test('exist for these only', () => {
    const withSafeAnswer = Object.values(actionTable).map((rows) =>
      rows.filter((row) => row.safeAnswer).map((row) => row.action),
    )
    expect(withSafeAnswer).toEqual([
      ['BootNotification', 'StartTransaction', 'StopTransaction'],
      ['BootNotification', 'TransactionEvent'],
    ])
  })
})

describe('billing', () => {
  test.each([
    ['ocpp1.6', 'StartTransaction', { connectorId: 1, idTag: 'A' }, ['meterStart']],
    ['ocpp1.6', 'StopTransaction', { timestamp: 'x' }, ['transactionId', 'meterStop']],
    ['ocpp1.6', 'MeterValues', {}, []],
    ['ocpp2.0.1', 'TransactionEvent', {}, ['eventType', 'transactionId', 'seqNo']],
    ['ocpp2.0.1', 'MeterValues', {}, []],
  ] as const)('%s %s %j lacks %j', (protocol, action, payload, missing) => {
    expect(rowOf(protocol, action).billing?.(payload).missing).toEqual(missing)
  })

  test('the first violation is the reason for the refusal', () => {
    const check = rowOf('ocpp1.6', 'StopTransaction').billing?.({ transactionId: '7', meterStop: 'many' })
    expect(check?.violations[0]).toMatchObject({ code: 'TypeConstraintViolation', path: '/meterStop' })
  })
})

test('2.1 shares the rows of 2.0.1, and names of Object are no actions', () => {
  expect(findAction('ocpp2.1', 'Heartbeat')).toBe(findAction('ocpp2.0.1', 'Heartbeat'))
  expect(findAction('ocpp2.0.1', 'constructor')).toBeUndefined()
  expect(findAction('ocpp1.6', 'TransactionEvent')).toBeUndefined()
})

interface Schema {
  definitions?: Record<string, Schema>
  properties?: Record<string, Schema>
  items?: Schema
  $ref?: string
}

/** Paths through a message to each IdTokenType in it. */
function tokenPlaces(root: Schema): string[] {
  const walk = (schema: Schema, path: string): string[] => {
    const name = schema.$ref?.replace('#/definitions/', '')
    if (name === 'IdTokenType') return [path]
    if (name) return walk(root.definitions?.[name] ?? {}, path)
    if (schema.items) return walk(schema.items, `${path}[]`)
    return Object.entries(schema.properties ?? {}).flatMap(([field, member]) =>
      walk(member, path ? `${path}.${field}` : field),
    )
  }
  return walk(root, '')
}
