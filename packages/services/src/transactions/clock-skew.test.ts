import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { inboundCall, inboundRecord } from '../pipeline/testing.js'
import { clockSkew, observeClocks } from './clock-skew.js'

const receivedAt = new Date('2026-03-01T12:00:00Z')
const said = (payload: object) => inboundCall('StartTransaction', payload, { receivedAt })

test.each([
  ['an hour ahead', { timestamp: '2026-03-01T13:00:00Z' }, 3_600],
  ['behind', { timestamp: '2026-03-01T11:59:58.500Z' }, -1.5],
  [
    'of the last value',
    { meterValue: [{ timestamp: '2026-01-01T00:00:00Z' }, { timestamp: '2026-03-01T12:00:07Z' }] },
    7,
  ],
  ['no time', {}, null],
  ['no values', { meterValue: [] }, null],
  ['a value that is none', { meterValue: [null] }, null],
  ['a clock never set', { timestamp: '0' }, null],
])('the skew %s', (_, payload, seconds) => {
  expect(clockSkew(said(payload))).toBe(seconds)
})

test('shows wrong clocks without naming a station', async () => {
  const metrics = new Registry()
  const records = [said({ timestamp: '1970-01-01T00:00:00Z' }), said({ timestamp: '2036-01-01T00:00:00Z' }), said({})]
  const decided = [...records, inboundRecord({ type: 'connected' })].map((record) => ({ record, decision: {} }))
  observeClocks({ decided, dispatches: [] }, metrics)
  observeClocks({ decided, dispatches: [] }, metrics)

  const text = await metrics.metrics()
  expect(text).toContain('busbar_station_clock_skew_seconds_bucket{le="-31536000"} 2')
  expect(text).toContain('busbar_station_clock_skew_seconds_bucket{le="31536000"} 2')
  expect(text).toContain('busbar_station_clock_skew_seconds_count 4')
  expect(text).not.toContain('CS')
})
