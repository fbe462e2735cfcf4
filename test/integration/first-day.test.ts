import { StationSocket } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tryUpgrade } from '../faults/upgrade.js'
import { allServices, hasServices, type System, startDistributed, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

interface Transaction {
  id: string
  status: string
  startedAt: string
  endedAt: string | null
  energyWh: number | null
  measuredEnergyWh: number | null
  flags: string[]
  corrections: { kind: string; actor: string; reason: string; before: object; after: object }[]
}

describe.skipIf(!hasServices())('the first day of an operator, on real Kafka, Redis and Postgres', () => {
  let system: System
  beforeAll(async () => {
    system = await startDistributed({ gateways: 2, workers: [allServices, allServices], partitions: 4 })
  }, 120_000)
  afterAll(() => system?.stop())

  const boot = async (id: string) => {
    const station = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
    await station.call('BootNotification', { chargePointVendor: 'Test', chargePointModel: 'First day' })
    return station
  }

  test('a station that was turned away at both gateways is registered by one call, and comes in', async () => {
    const id = 'ARRIVED EARLY'
    const ports = system.gateways.map(({ port }) => port)
    for (const port of [...ports, ...ports]) expect((await tryUpgrade(port, id, password, '10.0.0.1')).status).toBe(404)
    const list = () =>
      system.api.get<{ items: { stationId: string; count: number; registered: boolean }[] }>('/refused-attempts')

    expect((await list()).items).toMatchObject([{ stationId: id, reason: 'unknown', count: 4, registered: false }])
    await system.api.expect('POST', `/refused-attempts/${encodeURIComponent(id)}/register`, { password, tags: ['new'] })

    const station = await boot(id)
    expect((await tryUpgrade(ports[1] ?? 0, id, 'wrong', '10.0.0.1')).status).toBe(401)
    await until('off the list as unknown', async () => {
      const { items } = await list()
      return items.every((item) => item.stationId !== id || item.registered)
    })
    await until('shown as online', async () => {
      const { connection } = await system.api.get<{ connection: { online: boolean } }>(`/stations/${id}`)
      return connection.online
    })
    station.close()
  })

  test('a transaction without a Stop is closed; the Stop that comes after all corrects it, an operator has the last word', async () => {
    const id = 'NEVER-STOPS'
    await system.api.registerStation(id, password)
    await system.api.registerToken('FIRST-DAY')
    const station = await boot(id)
    const startedAt = new Date(Date.now() - 3_600_000).toISOString()
    const at = (minutes: number) => new Date(Date.parse(startedAt) + minutes * 60_000).toISOString()
    const started = await station.call('StartTransaction', {
      ...{ connectorId: 1, idTag: 'FIRST-DAY', meterStart: 1_000, timestamp: startedAt },
    })
    if (started.kind !== 'result') throw new Error(`not started: ${started.code}`)
    const { transactionId } = started.payload
    const sampled = (value: number, minutes: number) => ({
      timestamp: at(minutes),
      sampledValue: [{ value: String(value) }],
    })
    await station.call('MeterValues', { connectorId: 1, transactionId, meterValue: [sampled(3_500, 20)] })
    const read = async () => {
      const { items } = await system.api.get<{ items: { id: string }[] }>(`/transactions?station=${id}`)
      return system.api.get<Transaction>(`/transactions/${items[0]?.id}`)
    }
    const running = await until('the reading', async () => {
      const transaction = await read()
      return transaction.energyWh === 2_500 && transaction
    })
    const ask = (what: string, body: object, key: string) =>
      system.api.request('POST', `/transactions/${running.id}/${what}?wait=30`, body, { 'idempotency-key': key })

    const tooEarly = await ask('correct', { reason: 'Read off the meter', energyWh: 4_200 }, 'correct-early')
    expect(tooEarly).toMatchObject({ status: 409, body: { detail: 'It still runs; close it first.' } })

    const close = () => ask('close', { reason: 'Taken down' }, 'close-1')
    const [closed, again] = await Promise.all([close(), close()])
    expect(closed).toMatchObject({
      status: 200,
      body: { status: 'applied', after: { endedAt: at(20), energyWh: 2_500 } },
    })
    expect(again).toEqual(closed)
    expect((await ask('close', { reason: 'Taken down' }, 'close-2')).status).toBe(409)

    await station.call('StopTransaction', { transactionId, idTag: 'FIRST-DAY', meterStop: 6_000, timestamp: at(50) })
    expect(await read()).toMatchObject({ status: 'ended', endedAt: at(50), energyWh: 5_000 })
    const corrected = await ask('correct', { reason: 'Read off the meter', energyWh: 4_200 }, 'correct-1')
    expect(corrected).toMatchObject({ status: 200, body: { before: { energyWh: 5_000 }, after: { energyWh: 4_200 } } })

    const transaction = await read()
    expect(transaction).toMatchObject({
      energyWh: 4_200,
      measuredEnergyWh: 5_000,
      flags: ['closed', 'corrected', 'late'],
    })
    expect(transaction.corrections.map(({ kind, actor, reason }) => [kind, actor === 'station', reason])).toEqual([
      ['correct', false, 'Read off the meter'],
      ['close', false, 'Taken down'],
      ['close', false, 'Taken down'],
      ['evidence', true, 'The station told more after the end.'],
      ['correct', false, 'Read off the meter'],
    ])

    const [row] = await system.api.get<Transaction[]>(`/transactions/export?format=json&station=${id}`)
    expect(row).toMatchObject({
      energyWh: 4_200,
      corrections: [{ kind: 'close' }, { kind: 'evidence' }, { kind: 'correct' }],
    })
    const { rows } = await system.database.query(
      `SELECT action FROM audit_entry WHERE target_type = 'transaction' AND target_id = $1 ORDER BY id`,
      [running.id],
    )
    expect(rows.map(({ action }) => action)).toEqual([
      ...['transaction.correct', 'transaction.close', 'transaction.close', 'transaction.correct'],
    ])
    station.close()
  }, 120_000)
})
