import { createTestDatabase, newId, type TestDatabase } from '@busbar/store'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { decidePart } from '../pipeline/parts.js'
import type { InboundRecord } from '../pipeline/service.js'
import { decisionContext, placedRecord } from '../pipeline/testing.js'
import { createAlertsPart, refusedType } from './part.js'
import { settings } from './testing.js'

/*
 * What is wrong is read from the tables of other services, so these tests write there what those would have written. The
 * clock is the system's: frames are looked for from now on backwards.
 */

const minuteMs = 60_000
const part = createAlertsPart(settings)
const begin = Date.now() - 600 * minuteMs
const at = (minute: number) => new Date(begin + minute * minuteMs)

let store: TestDatabase
beforeAll(async () => {
  store = await createTestDatabase()
})
afterEach(() =>
  store.database.query({
    text: 'TRUNCATE alert, job, station, station_state, evse, connector, charging_transaction, journal_frame CASCADE',
    values: [],
  }),
)
afterAll(() => store.drop())

async function addStation(id: string, state: object = {}, rest: object = {}): Promise<void> {
  const { prisma } = store.database
  await prisma.station.create({ data: { id, foldedId: id.toLowerCase(), ...rest } })
  const connected = { online: true, registration: 'Accepted', connectedAt: at(0), lastSeenAt: at(0) }
  await prisma.stationState.create({ data: { stationId: id, ...connected, ...state } })
}
const setState = (stationId: string, data: object) =>
  store.database.prisma.stationState.update({ where: { stationId }, data })

const record = (minute: number, station: string, overrides: Partial<InboundRecord>) =>
  placedRecord({ ...overrides, receivedAt: at(minute) }, { station })
const event = (minute: number, type: string, station = 'CP-1', rest: object = {}) =>
  record(minute, station, {
    type: 'event',
    payload: { type: `busbar.${type}.v1`, data: {}, time: at(minute).toISOString(), ...rest },
  })
const due = (minute: number, station = 'CP-1') =>
  record(minute, station, { type: 'due', payload: { kind: 'alert-look', key: station } })
const refused = (minute: number, count: number, station = 'CP-1') =>
  record(minute, station, {
    type: refusedType,
    payload: { reason: 'credentials', count, lastAt: at(minute).toISOString() },
  })

/** One batch, jobs included; its time is that of its records. @returns the events by type and kind */
async function play(...records: InboundRecord[]): Promise<string[]> {
  const { database } = store
  const [now] = records.map((record) => decisionContext(record).now)
  const state = await part.load(database, records, now ?? new Date())
  const decisions = records.map((each) => decidePart(part, each, state, decisionContext(each, { newId })))
  await database.commit(part.save(state))
  for (const { jobs } of decisions) {
    for (const { key } of jobs?.remove ?? []) await database.prisma.job.deleteMany({ where: { key } })
    for (const job of jobs?.put ?? []) {
      await database.prisma.job.deleteMany({ where: { key: job.key } })
      await database.prisma.job.create({ data: job })
    }
  }
  return decisions.flatMap(({ events = [] }) =>
    events.map(({ type, data }) => `${type} ${(data as { kind: string }).kind}`),
  )
}

const lookAt = async () => (await store.database.prisma.job.findFirst())?.dueAt
const alerts = () => store.database.prisma.alert.findMany({ orderBy: { id: 'asc' } })

test('a station that stays away is told of once, and once when it is back', async () => {
  await addStation('CP-1')
  expect(await play(event(0, 'station.connected'))).toEqual([])
  await setState('CP-1', { online: false, disconnectedAt: at(30) })
  expect(await play(event(30, 'station.disconnected'))).toEqual([])
  // The earlier look, for silence, stands: it sees for itself.
  expect(await lookAt()).toEqual(at(20.5))

  expect(await play(due(39))).toEqual([])
  expect(await lookAt()).toEqual(at(40))
  expect(await play(due(40))).toEqual(['alert.raised offline'])
  expect(await play(due(40), due(41), event(42, 'station.disconnected'))).toEqual([])

  await setState('CP-1', { online: true, connectedAt: at(50), lastSeenAt: at(50) })
  expect(await play(event(50, 'station.connected'))).toEqual(['alert.cleared offline'])
  expect(await play(event(50, 'station.connected'))).toEqual([])
  expect(await alerts()).toMatchObject([
    { kind: 'offline', stationId: 'CP-1', severity: 'critical', since: at(30), raisedAt: at(40), clearedAt: at(50) },
  ])
})

test('one that flaps within its time is no alert', async () => {
  await addStation('CP-1', { online: false, disconnectedAt: at(0) })
  await play(event(0, 'station.disconnected'))
  await setState('CP-1', { online: true, connectedAt: at(5), lastSeenAt: at(5) })
  await play(event(5, 'station.connected'))
  await setState('CP-1', { online: false, disconnectedAt: at(8) })
  expect(await play(event(8, 'station.disconnected'), due(10))).toEqual([])
  expect(await lookAt()).toEqual(at(18))
})

test('silence is no word of any kind: readings that stand in the journal alone end it', async () => {
  await addStation('CP-1')
  await play(event(0, 'station.connected'))
  const frame = {
    stationId: 'CP-1',
    connectionId: 'c',
    direction: 'in',
    protocol: 'ocpp1.6',
    kind: 'call',
    frame: Buffer.from(''),
  }
  await store.database.prisma.journalFrame.create({ data: { ...frame, at: at(18), sequence: 1n } })
  expect(await play(due(21))).toEqual([])
  expect(await lookAt()).toEqual(at(38.5))
  expect(await play(due(39))).toEqual(['alert.raised silent'])

  await store.database.prisma.journalFrame.create({ data: { ...frame, at: at(50), sequence: 2n } })
  expect(await play(due(99))).toEqual([])
  expect(await lookAt()).toEqual(at(104))
  await setState('CP-1', { lastSeenAt: at(98) })
  expect(await play(due(100))).toEqual(['alert.cleared silent'])
})

test('a connector is told of by its place, and beside the others', async () => {
  await addStation('CP-1')
  const { prisma } = store.database
  for (const number of [1, 2]) {
    const evse = await prisma.evse.create({ data: { id: newId(), stationId: 'CP-1', number } })
    await prisma.connector.create({
      data: {
        id: newId(),
        evseId: evse.id,
        number: 1,
        status: 'Faulted',
        errorCode: 'GroundFailure',
        statusAt: at(number),
      },
    })
  }
  expect(await play(event(2, 'station.status-changed'))).toEqual(['alert.raised faulted'])
  expect(await play(due(3))).toEqual(['alert.raised faulted'])
  await prisma.connector.updateMany({ where: { statusAt: at(1) }, data: { status: 'Available', statusAt: at(4) } })
  expect(await play(event(4, 'station.status-changed'))).toEqual(['alert.cleared faulted'])
  expect(await alerts()).toMatchObject([
    { subject: 'evse/1/connector/1', clearedAt: at(4), details: { errorCode: 'GroundFailure' } },
    { subject: 'evse/2/connector/1', clearedAt: null },
  ])
})

test('a transaction nothing is heard of is stuck until it ended', async () => {
  await addStation('CP-1', {}, { switches: { alertStuckHours: 2, alertSilentIntervals: 0 } })
  const id = newId()
  await store.database.prisma.chargingTransaction.create({
    data: {
      id,
      stationId: 'CP-1',
      protocol: 'ocpp1.6',
      naturalKey: id,
      status: 'active',
      createdAt: at(0),
      updatedAt: at(30),
    },
  })
  expect(await play(event(0, 'transaction.started'))).toEqual([])
  expect(await lookAt()).toEqual(at(150))
  expect(await play(due(150))).toEqual(['alert.raised stuck-transaction'])
  await store.database.prisma.chargingTransaction.update({ where: { id }, data: { status: 'ended' } })
  expect(await play(event(160, 'transaction.ended'))).toEqual(['alert.cleared stuck-transaction'])
  expect(await alerts()).toMatchObject([{ subject: id, details: { transactionId: id, reason: 'no-word' } }])
})

test('refused upgrades are one alert, however often they are told, until the station comes in', async () => {
  await addStation('CP-1', {}, { switches: { alertSilentIntervals: 0 } })
  expect(await play(refused(1, 2))).toEqual([])
  expect(await play(refused(2, 3), refused(3, 40))).toEqual(['alert.raised refused'])
  expect(await play(refused(4, 900))).toEqual([])
  expect(await alerts()).toMatchObject([
    { details: { reason: 'credentials', count: 900, lastAt: at(4).toISOString() } },
  ])
  await setState('CP-1', { connectedAt: at(5), lastSeenAt: at(5) })
  expect(await play(event(5, 'station.connected'))).toEqual(['alert.cleared refused'])
})

test('refused upgrades that go on stay one alert for as long; it is over an hour after the last', async () => {
  await addStation('CP-1', {}, { switches: { alertSilentIntervals: 0 } })
  expect(await play(refused(1, 40))).toEqual(['alert.raised refused'])
  for (let minute = 2; minute <= 90; minute += 8) expect(await play(refused(minute, 40 + minute))).toEqual([])
  expect(await lookAt()).toEqual(at(61))
  expect(await play(due(61))).toEqual([])
  expect(await lookAt()).toEqual(at(121))
  expect(await play(due(121))).toEqual([])
  expect(await play(due(181))).toEqual(['alert.cleared refused'])
})

test('an alert of refused upgrades outlasts the gateway that counted them', async () => {
  await addStation('CP-1', {}, { switches: { alertSilentIntervals: 0 } })
  expect(await play(refused(1, 40))).toEqual(['alert.raised refused'])
  expect(await play(refused(2, 1))).toEqual([])
  expect(await alerts()).toMatchObject([{ details: { count: 40, lastAt: at(2).toISOString() } }])
})

test('a caller that passes for no station of ours leaves nothing', async () => {
  expect(await play(refused(1, 1_000, 'STRANGER'))).toEqual([])
  expect(await alerts()).toEqual([])
  expect(await lookAt()).toBeUndefined()
})

test('what a deleted station had open ends with the next look', async () => {
  await addStation('CP-1', { online: false, disconnectedAt: at(0) })
  expect(await play(due(20))).toEqual(['alert.raised offline'])
  expect(await lookAt()).toEqual(at(20 + 24 * 60))
  await store.database.prisma.station.delete({ where: { id: 'CP-1' } })
  expect(await play(due(80))).toEqual(['alert.cleared offline'])
  expect(await lookAt()).toBeUndefined()
})

test('a webhook that was given up is an alert until it is switched on again or deleted', async () => {
  const id = newId()
  const told = (minute: number, change: string) =>
    event(minute, `webhook.${change}`, id, {
      subject: `webhook/${id}`,
      data: { webhookId: id, failingSince: at(0).toISOString() },
    })
  expect(await play(told(1, 'disabled'), told(1, 'disabled'))).toEqual(['alert.raised webhook-disabled'])
  expect(await play(told(2, 'enabled'))).toEqual(['alert.cleared webhook-disabled'])
  expect(await play(told(3, 'deleted'))).toEqual([])
  expect(await alerts()).toMatchObject([{ stationId: null, subject: `webhook/${id}`, since: at(0) }])
})
