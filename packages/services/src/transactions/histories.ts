import fc from 'fast-check'
import type { InboundRecord } from '../pipeline/service.js'
import {
  answered,
  event201,
  idToken,
  meterValue16,
  meterValue201,
  meterValues16,
  minute,
  start16,
  stop16,
} from './testing.js'

/** Random histories of one station, for the property tests. A message is a function, so that it can be sent again. */
export type Message = (overrides: Partial<InboundRecord>) => InboundRecord

const minutes = fc.integer({ min: 0, max: 30 })
const wh = fc.integer({ min: 0, max: 20_000 }).map((tenths) => String(tenths / 10))
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })
const idTags = fc.constantFrom('ABCD1234', 'abcd1234', 'UNKNOWN')

const samples201 = fc.array(
  fc.record({ at: minutes, wh, phase: maybe(fc.constantFrom('L1', 'L2')), location: maybe(fc.constant('Inlet')) }),
  { maxLength: 3 },
)

const content201 = fc.record({
  minutes,
  evse: maybe(
    fc.record({ id: fc.constantFrom(1, 2), connectorId: maybe(fc.constantFrom(1, 2)) }, { requiredKeys: ['id'] }),
  ),
  chargingState: maybe(fc.constantFrom('Charging', 'SuspendedEV', 'EVConnected')),
  token: maybe(fc.constantFrom('ABCD1234', 'UNKNOWN')),
  triggerReason: fc.constantFrom('Trigger', 'Authorized', 'StopAuthorized'),
  stoppedReason: maybe(fc.constantFrom('Local', 'EVDisconnected')),
  remoteStartId: maybe(fc.constantFrom(1, 2)),
  samples: samples201,
})

/** Any event, seqNo reused, Started and Ended missing or repeated: all that stations do. */
export const message201 = fc
  .record({
    eventType: fc.constantFrom('Started' as const, 'Updated' as const, 'Updated' as const, 'Ended' as const),
    seqNo: fc.integer({ min: 0, max: 8 }),
    content: content201,
  })
  .map(({ eventType, seqNo, content }): Message => {
    const payload = {
      timestamp: minute(content.minutes),
      triggerReason: content.triggerReason,
      ...(content.evse && { evse: content.evse }),
      ...(content.token && { idToken: idToken(content.token) }),
      transactionInfo: {
        transactionId: 'T-1',
        ...(content.chargingState && { chargingState: content.chargingState }),
        ...(content.stoppedReason && { stoppedReason: content.stoppedReason }),
        ...(content.remoteStartId && { remoteStartId: content.remoteStartId }),
      },
      meterValue: content.samples.map(({ at, wh: value, phase, location }) =>
        meterValue201(minute(at), value, { ...(phase && { phase }), ...(location && { location }) }),
      ),
    }
    return (overrides) => event201(eventType, seqNo, payload, overrides)
  })

const readings16 = fc.dictionary(minutes.map(minute), wh, { maxKeys: 3 })

const start = fc.record({
  meterStart: fc.integer({ min: 0, max: 2000 }),
  idTag: idTags,
  reservationId: maybe(fc.constant(3)),
})
interface Stop {
  meterStop: number
  at: number
  reason: string | undefined
  idTag: string | undefined
  readings: Record<string, string>
}

const stop: fc.Arbitrary<Stop> = fc.record({
  meterStop: fc.integer({ min: -1, max: 4000 }),
  at: fc.integer({ min: 10, max: 30 }),
  reason: maybe(fc.constantFrom('Remote', 'PowerLoss')),
  idTag: maybe(idTags),
  readings: readings16,
})

const toStart =
  (payload: object, id: number): Message =>
  (overrides) =>
    start16(payload, id, overrides)
const toStop =
  (transactionId: number, { at, readings, ...rest }: Stop): Message =>
  (overrides) =>
    stop16(
      { ...defined(rest), transactionId, timestamp: minute(at), transactionData: meterValue16(readings) },
      overrides,
    )

/** One 1.6 transaction: at most one Start and one Stop, any number of readings. */
export const history16 = fc
  .record({ start: maybe(start), stop: maybe(stop), readings: fc.array(readings16, { maxLength: 5 }) })
  .map(({ start: started, stop: stopped, readings }): Message[] => [
    ...(started ? [toStart(defined(started), 1001)] : []),
    ...readings.map(
      (each): Message =>
        (overrides) =>
          meterValues16({ transactionId: 1001 }, each, overrides),
    ),
    ...(stopped ? [toStop(1001, stopped)] : []),
  ])

/** Whatever a 1.6 station may say, in any order, with ids known, unknown and none. */
export const message16 = fc.oneof(
  fc
    .record({ payload: start, connectorId: fc.constantFrom(1, 2), at: minutes, id: fc.constantFrom(1, 2, 3) })
    .map(({ payload, connectorId, at, id }) =>
      toStart({ ...defined(payload), connectorId, timestamp: minute(at) }, id),
    ),
  fc.record({ id: fc.constantFrom(1, 2, 3, 77, 0, -1), content: stop }).map(({ id, content }) => toStop(id, content)),
  fc
    .record({
      id: fc.constantFrom(undefined, 1, 2, 77, -1),
      connectorId: fc.constantFrom(0, 1, 2),
      readings: readings16,
    })
    .map(
      ({ id, connectorId, readings }): Message =>
        (overrides) =>
          meterValues16(defined({ transactionId: id, connectorId }), readings, overrides),
    ),
)

/** Now and then the gateway answers before we do. */
export function withAnswered(record: InboundRecord): InboundRecord[] {
  const { transactionId } = record.headers
  return [record, answered(record, transactionId ? { transactionId: Number(transactionId) } : {})]
}

/** The messages in another order, and some of them again. */
export function rearranged<Value>(values: fc.Arbitrary<Value[]>): fc.Arbitrary<{ sent: Value[]; again: Value[] }> {
  return values.chain((sent) =>
    fc
      .record({ order: fc.shuffledSubarray(sent, { minLength: sent.length }), twice: fc.shuffledSubarray(sent) })
      .chain(({ order, twice }) =>
        fc
          .shuffledSubarray([...order, ...twice], { minLength: order.length + twice.length })
          .map((again) => ({ sent, again })),
      ),
  )
}

function defined<Fields extends object>(fields: Fields): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
