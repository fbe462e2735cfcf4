import { StationSocket } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tryUpgrade } from '../faults/upgrade.js'
import { must } from '../support/api-client.js'
import { allServices, hasServices, type System, startDistributed, until } from '../support/system.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

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
    const { client } = system.api
    const list = async () => must(await client.GET('/v1/refused-attempts'))
    const path = { id }

    expect((await list()).items).toMatchObject([{ stationId: id, reason: 'unknown', count: 4, registered: false }])
    const registered = { params: { path }, body: { password, tags: ['new'] } }
    must(await client.POST('/v1/refused-attempts/{id}/register', registered))

    const station = await boot(id)
    expect((await tryUpgrade(ports[1] ?? 0, id, 'wrong', '10.0.0.1')).status).toBe(401)
    await until('off the list as unknown', async () => {
      const { items } = await list()
      return items.every((item) => item.stationId !== id || item.registered)
    })
    await until('shown as online', async () => {
      const { connection } = must(await client.GET('/v1/stations/{id}', { params: { path } }))
      return connection.online
    })
    station.close()
  })

  test('a transaction without a Stop is closed; the Stop that comes after all corrects it, an operator has the last word', async () => {
    const id = 'NEVER-STOPS'
    const { client } = system.api
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
      const { items } = must(await client.GET('/v1/transactions', { params: { query: { station: id } } }))
      return must(await client.GET('/v1/transactions/{id}', { params: { path: { id: items[0]?.id ?? '' } } }))
    }
    const running = await until('the reading', async () => {
      const transaction = await read()
      return transaction.energyWh === 2_500 && transaction
    })
    const once = (key: string) => ({
      params: { path: { id: running.id }, query: { wait: 30 }, header: { 'idempotency-key': key } },
    })
    const correct = (key: string) =>
      client.POST('/v1/transactions/{id}/correct', {
        ...once(key),
        body: { reason: 'Read off the meter', energyWh: 4_200 },
      })
    const close = (key: string) =>
      client.POST('/v1/transactions/{id}/close', { ...once(key), body: { reason: 'Taken down' } })

    const tooEarly = await correct('correct-early')
    expect(tooEarly).toMatchObject({ response: { status: 409 }, error: { detail: 'It still runs; close it first.' } })

    const [closed, again] = await Promise.all([close('close-1'), close('close-1')])
    expect(closed.response.status).toBe(200)
    expect(closed.data).toMatchObject({ status: 'applied', after: { endedAt: at(20), energyWh: 2_500 } })
    expect([again.response.status, again.data]).toEqual([200, closed.data])
    expect((await close('close-2')).response.status).toBe(409)

    await station.call('StopTransaction', { transactionId, idTag: 'FIRST-DAY', meterStop: 6_000, timestamp: at(50) })
    expect(await read()).toMatchObject({ status: 'ended', endedAt: at(50), energyWh: 5_000 })
    const corrected = await correct('correct-1')
    expect(corrected).toMatchObject({
      response: { status: 200 },
      data: { before: { energyWh: 5_000 }, after: { energyWh: 4_200 } },
    })

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

    const query = { format: 'json', station: id } as const
    const [row] = must(await client.GET('/v1/transactions/export', { params: { query } }))
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
