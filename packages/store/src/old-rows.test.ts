import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newId } from './new-id.js'
import { deleteOldRows } from './old-rows.js'
import { createTestDatabase, type TestDatabase } from './testing.js'

let store: TestDatabase
beforeEach(async () => {
  store = await createTestDatabase()
})
afterEach(() => store.drop())

const now = new Date('2031-12-31T12:00:00Z')
const retention = {
  meterReadingDays: 400,
  journalDays: 90,
  securityEventDays: 200,
  historyDays: 365,
  webhookDeliveryDays: 30,
}
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000)
const idOf = (days: number) => newId(daysAgo(days).getTime())
const stationId = 'CS-1'

const command = (days: number, rest: object = {}) => ({
  ...{ id: idOf(days), stationId, action: 'Reset', payload: {}, requestedBy: 'key', idempotencyKey: newId() },
  ...{ requestHash: 'x', status: 'accepted', createdAt: daysAgo(days), expiresAt: daysAgo(days) },
  completedAt: daysAgo(days),
  ...rest,
})
const asked = (days: number, rest: object = {}) => ({
  ...{ commandId: idOf(days), stationId, sent: {}, answer: 'accepted', requestedBy: 'key', requestedAt: daysAgo(days) },
  ...rest,
})
const profile = (days: number, settledAt: Date | null) => ({
  ...asked(days),
  ...{ action: 'SetChargingProfile', status: settledAt ? 'replaced' : 'active', settledAt },
})
const transfer = (days: number, state: string, endedAt: Date | null) => ({
  ...{ id: idOf(days), stationId, kind: 'log', state, requestedAt: daysAgo(days), updatedAt: daysAgo(days), endedAt },
})
const reservation = (days: number, endedAt: Date | null) => ({
  ...{ id: idOf(days), stationId, reservationId: 1, connector: 1, idTag: 'A', expiresAt: daysAgo(days), endedAt },
  ...{ state: endedAt ? 'expired' : 'active', answer: 'accepted', requestedBy: 'key', requestedAt: daysAgo(days) },
})
const certificate = (days: number, status: string, notAfter: Date | null) => ({
  ...{ id: idOf(days), stationId, status, csr: '', notAfter, requestedAt: daysAgo(days) },
})
const installation = (days: number, status: string) => ({
  ...{ commandId: idOf(days), callIndex: 0, stationId, type: 'CentralSystemRoot', status, requestedAt: daysAgo(days) },
})
const event = (days: number) => ({
  ...{ id: idOf(days), stationId, contentKey: newId(), type: 'FirmwareUpdated' },
  ...{ occurredAt: daysAgo(9_999), receivedAt: daysAgo(days) },
})
const deadLetter = (days: number, replayedAt: Date | null) => ({
  ...{ id: idOf(days), service: 's', topic: 't', partition: 0, offset: BigInt(days), stationId, headers: {} },
  ...{ value: Buffer.from(''), error: '', createdAt: daysAgo(days), replayedAt },
})

async function count(table: string): Promise<number> {
  const text = `SELECT count(*)::int AS count FROM ${table}`
  const [row] = await store.database.query<{ count: number }>({ text, values: [] })
  return row?.count ?? 0
}

describe('what is over since its retention goes, and nothing that is open or younger', () => {
  test('commands, and what became of them', async () => {
    const { prisma } = store.database
    await prisma.command.createMany({
      data: [
        command(366),
        command(364),
        command(700, { status: 'dispatched', completedAt: null }),
        command(700, { followUp: 'open' }),
      ],
    })
    await prisma.chargingProfile.createMany({
      data: [profile(700, daysAgo(366)), profile(700, daysAgo(364)), profile(700, null)],
    })
    await prisma.chargingProfileClear.createMany({
      data: [asked(366), asked(364), asked(700, { answer: 'requested' })],
    })
    await prisma.transfer.createMany({
      data: [
        transfer(700, 'succeeded', daysAgo(366)),
        transfer(366, 'unknown', null),
        transfer(700, 'failed', daysAgo(364)),
        transfer(700, 'running', null),
      ],
    })
    await prisma.reservation.createMany({
      data: [reservation(366, daysAgo(366)), reservation(366, daysAgo(364)), reservation(366, null)],
    })
    await prisma.rootInstallation.createMany({
      data: [installation(366, 'accepted'), installation(364, 'accepted'), installation(366, 'requested')],
    })

    expect(await deleteOldRows(store.database, now, retention)).toEqual({
      command: 1,
      charging_profile: 1,
      charging_profile_clear: 1,
      transfer: 2,
      reservation: 1,
      root_installation: 1,
    })
    expect(await prisma.command.findMany({ where: { createdAt: { lt: daysAgo(365) } } })).toHaveLength(2)
    expect(await prisma.transfer.findMany({ where: { state: 'running' } })).toHaveLength(1)
    expect(await prisma.reservation.findMany({ where: { state: 'active' } })).toHaveLength(1)
    expect(await count('charging_profile')).toBe(2)
    expect(await prisma.chargingProfile.findMany({ where: { settledAt: null } })).toHaveLength(1)
    expect(await prisma.chargingProfileClear.findMany({ where: { answer: 'requested' } })).toHaveLength(1)
  })

  test('certificates that were replaced or refused, once they open no door for their age', async () => {
    await store.database.prisma.stationCertificate.createMany({
      data: [
        certificate(800, 'superseded', daysAgo(366)),
        certificate(366, 'failed', null),
        certificate(800, 'rejected', daysAgo(364)),
        certificate(800, 'active', daysAgo(400)),
        certificate(800, 'requested', null),
      ],
    })

    expect(await deleteOldRows(store.database, now, retention)).toEqual({ station_certificate: 2 })
    expect(await count('station_certificate')).toBe(3)
  })

  test('security events, counts of Heartbeats, dead letters that were replayed', async () => {
    const { prisma } = store.database
    await prisma.securityEvent.createMany({ data: [event(201), event(199)] })
    await prisma.heartbeatCount.createMany({
      data: [91, 90].map((days) => ({ stationId, day: daysAgo(days), count: 288 })),
    })
    await prisma.deadLetter.createMany({
      data: [deadLetter(300, daysAgo(91)), deadLetter(301, daysAgo(89)), deadLetter(302, null)],
    })

    expect(await deleteOldRows(store.database, now, retention)).toEqual({
      heartbeat_count: 1,
      dead_letter: 1,
      security_event: 1,
    })
    expect(await prisma.deadLetter.findMany({ where: { replayedAt: null } })).toHaveLength(1)
    expect(await deleteOldRows(store.database, now, retention)).toEqual({})
  })

  test('packed readings, of transactions of any age, unless they are kept for ever', async () => {
    const pack = (days: number, began = days) => ({
      ...{ transactionId: idOf(began), number: 0, firstAt: daysAgo(9_999), lastAt: daysAgo(9_999) },
      ...{ receivedAt: daysAgo(days), readings: Buffer.of(1) },
    })
    await store.database.prisma.meterReadingPack.createMany({ data: [pack(401), pack(399), pack(399, 500)] })

    const forEver = { ...retention, meterReadingDays: null }
    expect(await deleteOldRows(store.database, now, forEver)).toEqual({})
    expect(await deleteOldRows(store.database, now, retention)).toEqual({ meter_reading_pack: 1 })
    expect(await count('meter_reading_pack')).toBe(2)
  })

  test('and never what is billed, or tells who did what', async () => {
    const { prisma } = store.database
    const at = daysAgo(9_999)
    const transactionId = newId(at.getTime())
    await prisma.chargingTransaction.create({
      data: {
        ...{ id: transactionId, stationId, protocol: 'ocpp1.6', naturalKey: 'k', status: 'ended' },
        ...{ startedAt: at, endedAt: at, createdAt: at, updatedAt: at, energyWh: 5_000n },
      },
    })
    await prisma.transactionAlias.create({ data: { stationId, ocppId: '1', transactionId } })
    await prisma.auditEntry.create({ data: { at, actor: 'a', action: 'b', targetType: 'c', targetId: 'd' } })

    expect(await deleteOldRows(store.database, now, retention)).toEqual({})
    expect(await Promise.all(['charging_transaction', 'transaction_alias', 'audit_entry'].map(count))).toEqual([
      1, 1, 1,
    ])
  })
})

test('it goes in small portions, until it is told to stop', async () => {
  await store.database.prisma.command.createMany({ data: Array.from({ length: 25 }, () => command(400)) })
  let asked = 0

  // Three tables come before.
  const gone = await deleteOldRows(store.database, now, retention, () => ++asked > 6, 5)
  expect(gone).toEqual({ command: 15 })
  expect(await count('command')).toBe(10)
  await deleteOldRows(store.database, now, retention, undefined, 5)
  expect(await count('command')).toBe(0)
})

test('several processes share the work', async () => {
  await store.database.prisma.command.createMany({ data: Array.from({ length: 200 }, () => command(400)) })

  const shares = await Promise.all([1, 2, 3].map(() => deleteOldRows(store.database, now, retention, undefined, 10)))

  expect(await count('command')).toBe(0)
  expect(shares.reduce((sum, { command = 0 }) => sum + command, 0)).toBe(200)
})
