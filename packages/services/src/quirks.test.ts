import type { Payload } from '@busbar/ocpp'
import { describe, expect, test } from 'vitest'
import type { Decision, InboundRecord } from './pipeline/service.js'
import { decisionContext, inboundCall } from './pipeline/testing.js'
import type { StationPolicy } from './stations/state.js'
import { decideRecord, stationPolicy, stationsState } from './stations/testing.js'
import {
  acceptedToken,
  authorize16,
  chargingState,
  decide,
  meterValues16,
  start16,
  stop16,
  token,
} from './transactions/testing.js'

/** What real stations do, and what is decided about it. The table in packages/ocpp/QUIRKS.md leads here. */

const idTagInfo = ({ result }: { result: Payload }) => result.idTagInfo as { status: string; parentIdTag?: string }
const find = (state: ReturnType<typeof chargingState>, ocppId: string) =>
  [...state.changedTransactions].find((each) => each.ocppId === ocppId)

function station16(action: string, payload: object, policy: Partial<StationPolicy> = {}) {
  const record: InboundRecord = inboundCall(action, payload, { protocol: 'ocpp1.6' })
  const state = stationsState({ policies: [stationPolicy(policy)] })
  return { state, decision: decideRecord(record, state, decisionContext(record)) as Decision }
}
const boot = { chargePointVendor: 'V', chargePointModel: 'M' }

describe('1 conformance traps', () => {
  test('stored tokens: each status is told as itself, and one without a status we know is denied', () => {
    const tokens = [
      acceptedToken,
      token({ id: 't-2', value: 'BLOCKED', status: 'blocked' }),
      token({ id: 't-3', value: 'EXPIRED', expiresAt: new Date('2020-01-01T00:00:00Z') }),
      token({ id: 't-4', value: 'NOTHING', status: '' }),
    ]
    const state = chargingState({ tokens })
    const status = (idTag: string) => idTagInfo(decide(state, authorize16(idTag))).status

    expect(['ABCD1234', 'BLOCKED', 'EXPIRED', 'NOTHING', 'UNKNOWN'].map(status)).toEqual([
      'Accepted',
      'Blocked',
      'Expired',
      'Blocked',
      'Invalid',
    ])
  })

  test('ConcurrentTx only for a start that is one too many, never for Authorize', () => {
    const state = chargingState({ tokens: [token({ maxTransactions: 1 })] })

    expect(idTagInfo(decide(state, start16({}, 1))).status).toBe('Accepted')
    expect(idTagInfo(decide(state, authorize16('ABCD1234'))).status).toBe('Accepted')
    expect(idTagInfo(decide(state, start16({ connectorId: 2 }, 2))).status).toBe('ConcurrentTx')
  })

  test('the group goes out wherever the token is answered', () => {
    const state = chargingState({ tokens: [token({ groupId: 'FLEET' })] })

    expect(idTagInfo(decide(state, authorize16('ABCD1234'))).parentIdTag).toBe('FLEET')
    expect(idTagInfo(decide(state, start16({}, 7))).parentIdTag).toBe('FLEET')
    expect(idTagInfo(decide(state, stop16({ transactionId: 7, idTag: 'ABCD1234' }))).parentIdTag).toBe('FLEET')
  })

  test('at defaults nothing is sent that nobody asked for: boot, status, session, idling', () => {
    const status = (text: string) => ({ connectorId: 1, errorCode: 'NoError', status: text })
    const charging = chargingState()
    const decisions: Decision[] = [
      station16('BootNotification', boot).decision,
      ...['Available', 'Preparing', 'Charging', 'Finishing', 'Available'].map(
        (text) => station16('StatusNotification', status(text)).decision,
      ),
      decide(charging, authorize16('ABCD1234')),
      decide(charging, start16({}, 1)),
      decide(charging, meterValues16({ transactionId: 1 }, { '2026-03-01T10:30:00.000Z': 2000 })),
      decide(charging, stop16({ transactionId: 1 })),
    ]

    expect(decisions.flatMap(({ commands = [] }) => commands)).toEqual([])
    expect(decisions.flatMap(({ dispatches = [] }) => dispatches)).toEqual([])
  })
})

describe('3b boot and configuration', () => {
  test('the interval of the boot answer is ignored: it is set by ChangeConfiguration where that is switched on', () => {
    const policy = { heartbeatIntervalSeconds: 120, switches: { setHeartbeatInterval: true } }
    const command = { action: 'ChangeConfiguration', payload: { key: 'HeartbeatInterval', value: '120' } }

    expect(station16('BootNotification', boot, policy).decision.commands).toMatchObject([
      { ...command, afterSequence: { connectionId: 'connection-1', sequence: 1 } },
    ])
    expect(station16('BootNotification', boot, { ...policy, registrationPolicy: 'pending' }).decision.commands).toBe(
      undefined,
    )
  })

  test('an interval that is too long for some is what the operator sets', () => {
    const { decision } = station16('BootNotification', boot, { heartbeatIntervalSeconds: 30 })

    expect(decision.answer).toMatchObject({ result: { interval: 30 } })
  })
})

describe('3c timestamps', () => {
  test.each([
    ['without zone (Growatt, AEFA)', '2026-03-01T09:59:00.5', 'timestamp-without-zone'],
    ['of 1970', '1970-01-01T00:00:10Z', 'clock-unset'],
    ['of 2014 (Alfen)', '2014-01-01T00:00:00Z', 'clock-unset'],
    ['"0" (Heidelberg)', '0', 'timestamp-unreadable'],
  ])('a status with a time %s is kept and counted', (_, timestamp, kind) => {
    const status = { connectorId: 1, errorCode: 'NoError', status: 'Available', timestamp }
    const { decision } = station16('StatusNotification', status)

    expect(decision.quirks).toEqual([kind])
    expect(decision.events).toMatchObject([{ type: 'station.status-changed' }])
  })

  test.each([undefined, '1970-01-01T00:00:10Z', '0'])('a start at %j is kept and marked', (timestamp) => {
    const state = chargingState()
    decide(state, start16({ timestamp }, 5))

    expect(find(state, '5')?.flags).toContain('clock')
  })
})

describe('3d malformed payloads', () => {
  test('info "null" and Finishing with an error code (ABB) are kept as they are', () => {
    const status = { connectorId: 1, errorCode: 'OtherError', info: 'null', status: 'Finishing' }

    expect(station16('StatusNotification', status).decision.events).toMatchObject([
      { data: { status: 'Finishing', errorCode: 'OtherError', info: 'null' } },
    ])
  })
})

describe('3e identifiers', () => {
  test('transactionId 9223372036854775807 (Alfen) is answered, every digit kept', () => {
    const state = chargingState()
    const { answer } = decide(state, stop16({ transactionId: '9223372036854775807' }))

    expect(answer).toEqual({ result: {} })
    expect(find(state, '9223372036854775807')).toMatchObject({ status: 'orphan' })
  })

  test.each([-1, 0, -4711])('transactionId %i finds the session of its token, and is counted', (transactionId) => {
    const state = chargingState()
    decide(state, start16({}, 9))
    const { quirks } = decide(state, stop16({ transactionId, idTag: 'ABCD1234' }))

    expect(find(state, '9')).toMatchObject({ status: 'ended', energyWh: 5000n })
    expect(quirks).toEqual(['transaction-id-unusable'])
  })

  test('a Stop for nothing we know is answered, and again when it comes again (Metron)', () => {
    const state = chargingState()
    const stop = { transactionId: 424242 }

    expect(decide(state, stop16(stop)).answer).toEqual({ result: {} })
    expect(decide(state, stop16(stop)).answer).toEqual({ result: {} })
    expect(state.changedTransactions.size).toBe(1)
  })

  test('the start of a refused token still gets a transaction', () => {
    const { result } = decide(chargingState(), start16({ idTag: 'NOBODY' }, 12))

    expect(result).toEqual({ transactionId: 12, idTagInfo: { status: 'Invalid' } })
  })

  test('the same event under a new message id is the same event', () => {
    const state = chargingState()
    const first = decide(state, start16({}, 20, { messageId: 'a' })).result
    const second = decide(state, start16({}, 21, { messageId: 'b' })).result

    expect(second).toEqual(first)
    expect(state.changedTransactions.size).toBe(1)
  })

  test('idTags compare without letter case', () => {
    expect(idTagInfo(decide(chargingState(), authorize16('abcd1234'))).status).toBe('Accepted')
  })

  test('a Stop without an idTag is legal, and answered without idTagInfo', () => {
    const state = chargingState()
    decide(state, start16({}, 30))

    expect(decide(state, stop16({ transactionId: 30 })).answer).toEqual({ result: {} })
  })
})

describe('3f metering and transactions', () => {
  test('readings after the Stop (Ocular) are kept, and what Start and Stop say stands', () => {
    const state = chargingState()
    decide(state, start16({ meterStart: 1000 }, 1))
    decide(state, stop16({ transactionId: 1, meterStop: 6000 }))
    decide(state, meterValues16({ transactionId: 1 }, { '2026-03-01T11:05:00.000Z': 6100 }))

    expect(find(state, '1')).toMatchObject({ energyWh: 5000n })
    expect(state.newReadings).toHaveLength(1)
  })

  test('only a Stop after an offline reset: kept as an orphan until somebody knows more', () => {
    const state = chargingState()
    decide(state, stop16({ transactionId: 77, reason: 'PowerLoss' }))

    expect(find(state, '77')).toMatchObject({ status: 'orphan', stoppedReason: 'PowerLoss' })
  })

  test('redials late (FoxESS, Teison): what it measured meanwhile counts at its own times', () => {
    const state = chargingState()
    decide(state, start16({ meterStart: 1000 }, 8))
    const receivedAt = new Date('2026-03-01T11:19:00.000Z')
    decide(state, meterValues16({ transactionId: 8 }, { '2026-03-01T10:30:00.000Z': 3000 }, { receivedAt }))
    expect(find(state, '8')).toMatchObject({ status: 'active', energyWh: 2000n })

    decide(state, stop16({ transactionId: 8, meterStop: 6000, timestamp: '2026-03-01T11:00:00.000Z' }, { receivedAt }))
    expect(find(state, '8')).toMatchObject({
      ...{ status: 'ended', energyWh: 5000n, endedAt: new Date('2026-03-01T11:00:00.000Z') },
    })
  })

  test('readings by the clock beside periodic ones count no energy twice', () => {
    const state = chargingState()
    decide(state, start16({ meterStart: 1000 }, 2))
    for (const context of ['Sample.Periodic', 'Sample.Clock']) {
      const record = meterValues16({ transactionId: 2 }, {})
      const at = (minute: string, value: string) => ({
        timestamp: `2026-03-01T10:${minute}:00.000Z`,
        sampledValue: [{ value, context }],
      })
      record.payload.meterValue = [at('15', '1500'), at('30', '2000')]
      decide(state, record)
    }

    expect(find(state, '2')).toMatchObject({ energyWh: 1000n })
  })

  test('signed values that come only with the Stop are kept byte for byte', () => {
    const state = chargingState()
    decide(state, start16({}, 3))
    const sampledValue = [{ value: 'AP;0;3;BASE64==', format: 'SignedData', context: 'Transaction.End' }]
    const transactionData = [{ timestamp: '2026-03-01T11:00:00.000Z', sampledValue }]
    decide(state, stop16({ transactionId: 3, transactionData }))

    expect(state.newReadings).toMatchObject([{ samples: sampledValue }])
  })
})
