import { createTestDatabase, type TestDatabase } from '@busbar/store'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { InboundRecord } from '../pipeline/service.js'
import { fakePorts } from '../pipeline/testing.js'
import { applyRecords, playBatch, toLogRecord } from '../pipeline/testing-batches.js'
import { createReservationsService, reservationsPart } from './service.js'
import { loadReservations } from './statements.js'
import {
  cancelNews,
  commandId,
  due,
  eventsOf,
  expiresAt,
  later,
  reserveNews,
  started,
  statusChanged,
  transactionId,
} from './testing.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db?.drop())
beforeEach(async () => {
  await query('TRUNCATE reservation, job, charging_transaction')
})

const query = (text: string) => db.database.query<Record<string, unknown>>({ text, values: [] })
const rows = () => query('SELECT station_id, reservation_id, state, reason FROM reservation ORDER BY id')
const jobs = () => query('SELECT kind, key, station_id, due_at FROM job')

const batch = async (...records: InboundRecord[]) => eventsOf(await playBatch(reservationsPart, db.database, records))

const reserved = [reserveNews('requested', { at: 0 }), reserveNews('accepted')] as const

test('what is stored is read again as it was, in a later batch', async () => {
  const sent = { parentIdTag: 'FLEET' }
  await batch(reserveNews('requested', { at: 0, sent }), reserveNews('accepted', { sent }))
  const state = await loadReservations(db.database, [statusChanged('Reserved')])

  expect(state.find(commandId(1))).toEqual({
    id: commandId(1),
    stationId: 'CP-1',
    reservationId: 7,
    connector: 1,
    idTag: 'DRIVER',
    parentIdTag: 'FLEET',
    expiresAt,
    answer: 'accepted',
    evidence: {},
    requestedBy: 'key-1',
    requestedAt: later(0),
    state: 'active',
    reason: null,
    transactionId: null,
    flags: [],
    endedAt: null,
  })
})

test('a transaction finds the reservation it names in a later batch, an ended one too', async () => {
  await batch(...reserved)
  await batch(due())
  expect(await batch(started({ reservationId: 7 }, { at: 700 }))).toEqual(['reservation.used'])
  expect(await batch(started({ reservationId: 7 }, { at: 700 }))).toEqual([])
  expect(await rows()).toMatchObject([{ state: 'used' }])
})

test('a transaction that is told after the reservation expired, and began before, has used it', async () => {
  await batch(...reserved)
  await batch(due())
  expect(await rows()).toMatchObject([{ state: 'expired' }])

  const other = { startedAt: later(650).toISOString(), transactionId: '01910000-0000-7000-8000-000000000002' }
  expect(await batch(started(other, { at: 3_600 }))).toEqual([])
  expect(await batch(started({ startedAt: later(300).toISOString() }, { at: 3_600 }))).toEqual(['reservation.used'])
})

test('F30: the job of a reservation is in Postgres until it ended; run by two at once it expires once', async () => {
  const events: string[] = []
  const { backbone } = fakePorts()
  backbone.outbox.insert = (outgoing) => {
    events.push(...outgoing.map(({ value }) => JSON.parse(String(value)).type))
    return []
  }
  const apply = (at: number, ...records: InboundRecord[]) =>
    applyRecords(createReservationsService(), records.map(toLogRecord), {
      ...{ database: db.database, backbone, clock: () => later(at) },
    })

  await apply(1, ...reserved)
  expect(await jobs()).toEqual([
    { kind: 'reservation-expiry', key: commandId(1), station_id: 'CP-1', due_at: expiresAt },
  ])
  // Nobody ran it for a day; then the sweep hands it out, and again before the first has run.
  await apply(86_400, due(), due())
  await apply(86_431, due())
  expect(await jobs()).toEqual([])
  expect(await rows()).toMatchObject([{ state: 'expired' }])
  expect(events.filter((type) => type === 'busbar.reservation.expired.v1')).toHaveLength(1)
})

test('a reservation whose transaction was told before it is used, not expired', async () => {
  await query(`INSERT INTO charging_transaction (id, station_id, protocol, natural_key, reservation_id, status, created_at, updated_at)
    SELECT '${transactionId}', station, 'ocpp1.6', station, 7, 'active', '${later(60).toISOString()}', now()
    FROM unnest('{CP-1}'::text[]) AS s(station)`)
  await batch(...reserved)
  expect(await batch(due())).toEqual(['reservation.used'])
  expect(await query('SELECT transaction_id FROM reservation')).toEqual([{ transaction_id: transactionId }])
})

test('T13: ten thousand tries of another station at ids that are not its own change nothing', async () => {
  const ids = Array.from({ length: 2_000 }, (_, index) => index)
  await batch(
    ...ids.flatMap((id) => [reserveNews('requested', { command: id + 1, at: 0, sent: { reservationId: id } })]),
    ...ids.map((id) => reserveNews('accepted', { command: id + 1, sent: { reservationId: id } })),
  )
  const before = await query('SELECT * FROM reservation ORDER BY id')
  const thief = { station: 'THIEF', at: 100 }
  const tries = ids.flatMap((reservationId) => [
    started({ reservationId }, thief),
    started({}, thief),
    cancelNews('accepted', { ...thief, sent: { reservationId } }),
    statusChanged('Faulted', 0, thief),
    statusChanged('Unavailable', 1, thief),
  ])
  expect(await batch(...tries)).toEqual([])
  expect(tries).toHaveLength(10_000)
  expect(await query('SELECT * FROM reservation ORDER BY id')).toEqual(before)
})
