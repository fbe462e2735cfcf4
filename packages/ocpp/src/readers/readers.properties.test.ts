import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MissingFieldsError } from './findings.js'
import { readMeterValues16 } from './meter-values-16.js'
import { readMeterValues201 } from './meter-values-201.js'
import { readStartTransaction16 } from './start-transaction-16.js'
import { readStopTransaction16 } from './stop-transaction-16.js'
import { readTransactionEvent201 } from './transaction-event-201.js'

const runs = Number(process.env.PROPERTY_RUNS ?? 1000)
const receivedAt = new Date('2026-03-04T05:06:07Z')
const timestamp = '2026-01-02T03:04:05Z'

test('any payload is read, or refused as a station can be told', () => {
  const readers = [
    readStartTransaction16,
    readStopTransaction16,
    readMeterValues16,
    readMeterValues201,
    readTransactionEvent201,
  ]
  // Bends a proper payload anywhere, so that the depths of the readers are reached.
  const anything = fc.oneof(fc.jsonValue(), fc.constantFrom('', '0', -1, 1e300, null, [], {}))
  const payloads = fc.record(
    Object.fromEntries(
      ['connectorId', 'idTag', 'meterStart', 'meterStop', 'transactionId', 'timestamp', 'reason', 'eventType', 'seqNo']
        .concat(['transactionInfo', 'idToken', 'evse', 'offline'])
        .map((field) => [field, anything]),
    ),
    { requiredKeys: [] },
  )
  const samples = fc.record(
    Object.fromEntries(
      ['value', 'unit', 'unitOfMeasure', 'measurand', 'phase', 'context', 'location', 'format', 'signedMeterValue'].map(
        (field) => [field, anything],
      ),
    ),
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(payloads, samples, anything, fc.constantFrom(...readers), (payload, sample, meterValue, read) => {
      const meterValues = [[{ timestamp, sampledValue: [sample] }], meterValue]
      for (const values of meterValues) {
        try {
          const { violations } = read({ ...payload, meterValue: values, transactionData: values }, receivedAt)
          expect(Array.isArray(violations)).toBe(true)
        } catch (cause) {
          expect(cause).toBeInstanceOf(MissingFieldsError)
        }
      }
    }),
    { numRuns: runs },
  )
})
