import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { independentClient, password, setUps } from '../support/independent-client.js'
import { type System, until } from '../support/system.js'

const now = () => new Date().toISOString()

interface Shown {
  id: string
  status: string
  energyWh: number
  stoppedReason: string
}

async function endedTransaction(system: System, station: string): Promise<Shown> {
  return until('the ended transaction', async () => {
    const { items } = await system.api.get<{ items: Shown[] }>(`/transactions?station=${station}`)
    return items.find(({ status }) => status === 'ended')
  })
}

describe.each(setUps)('an independent client, $name', ({ start }) => {
  let system: System
  beforeAll(async () => {
    system = await start()
    await system.api.registerToken('RPC-TOKEN')
  })
  afterAll(() => system.stop())

  test('charges on OCPP 1.6, changing the gateway in the middle, and is stopped by the operator', async () => {
    const id = `RPC16-${randomUUID().slice(0, 8)}`
    await system.api.registerStation(id, password)
    const station = independentClient(system, 0, id, 'ocpp1.6')
    await station.connect()
    const boot = await station.call('BootNotification', { chargePointVendor: 'ocpp-rpc', chargePointModel: 'client' })
    expect(boot).toMatchObject({ status: 'Accepted' })
    await station.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Preparing' })
    expect(await station.call('Authorize', { idTag: 'RPC-TOKEN' })).toMatchObject({ idTagInfo: { status: 'Accepted' } })
    const start = { connectorId: 1, idTag: 'RPC-TOKEN', meterStart: 10_000, timestamp: now() }
    const { transactionId } = (await station.call('StartTransaction', start)) as { transactionId: number }
    await station.close()

    const moved = independentClient(system, 1, id, 'ocpp1.6')
    let stopped: unknown
    moved.handle('RemoteStopTransaction', async ({ params }) => {
      stopped = params
      return { status: 'Accepted' }
    })
    await moved.connect()
    await moved.call('MeterValues', {
      connectorId: 1,
      transactionId,
      meterValue: [{ timestamp: now(), sampledValue: [{ value: '12000' }] }],
    })
    const verdict = await system.api.command(id, 'RemoteStopTransaction', { transactionId })
    expect(verdict).toMatchObject({ status: 200, body: { status: 'accepted' } })
    expect(stopped).toEqual({ transactionId })
    await moved.call('StopTransaction', { transactionId, meterStop: 13_500, timestamp: now(), reason: 'Remote' })
    await moved.close()

    expect(await endedTransaction(system, id)).toMatchObject({ energyWh: 3_500, stoppedReason: 'Remote' })
  })

  test('charges on OCPP 2.0.1, changing the gateway in the middle', async () => {
    const id = `RPC201-${randomUUID().slice(0, 8)}`
    await system.api.registerStation(id, password)
    const station = independentClient(system, 0, id, 'ocpp2.0.1')
    await station.connect()
    const boot = await station.call('BootNotification', {
      reason: 'PowerUp',
      chargingStation: { vendorName: 'ocpp-rpc', model: 'client' },
    })
    expect(boot).toMatchObject({ status: 'Accepted' })
    const idToken = { idToken: 'RPC-TOKEN', type: 'ISO14443' }
    expect(await station.call('Authorize', { idToken })).toMatchObject({ idTokenInfo: { status: 'Accepted' } })
    const transactionId = randomUUID()
    const meterValue = (value: number, context: string) => [
      { timestamp: now(), sampledValue: [{ value, context, unitOfMeasure: { unit: 'kWh' } }] },
    ]
    const started = await station.call('TransactionEvent', {
      eventType: 'Started',
      timestamp: now(),
      triggerReason: 'Authorized',
      seqNo: 0,
      transactionInfo: { transactionId, chargingState: 'Charging' },
      evse: { id: 1, connectorId: 1 },
      idToken,
      meterValue: meterValue(10, 'Transaction.Begin'),
    })
    expect(started).toMatchObject({ idTokenInfo: { status: 'Accepted' } })
    await station.close()

    const moved = independentClient(system, 1, id, 'ocpp2.0.1')
    await moved.connect()
    await moved.call('TransactionEvent', {
      eventType: 'Updated',
      timestamp: now(),
      triggerReason: 'MeterValuePeriodic',
      seqNo: 1,
      transactionInfo: { transactionId },
      meterValue: meterValue(12.25, 'Sample.Periodic'),
    })
    await moved.call('TransactionEvent', {
      eventType: 'Ended',
      timestamp: now(),
      triggerReason: 'StopAuthorized',
      seqNo: 2,
      transactionInfo: { transactionId, stoppedReason: 'Local' },
      meterValue: meterValue(13.5, 'Transaction.End'),
    })
    await moved.close()

    expect(await endedTransaction(system, id)).toMatchObject({ energyWh: 3_500, stoppedReason: 'Local' })
  })
})
