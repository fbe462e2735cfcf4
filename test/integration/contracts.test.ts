import { StationSocket, VirtualStation } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AsyncApiCheck } from '../support/asyncapi-check.js'
import { allServices, hasServices, type System, startDistributed, startEmbedded } from '../support/system.js'
import { readTopic, type TopicRecord } from '../support/topics.js'

const password = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'

const setUps: [string, boolean, () => Promise<System>][] = [
  ['embedded', true, () => startEmbedded()],
  [
    'two gateways, two workers, Kafka',
    hasServices(),
    () => startDistributed({ gateways: 2, workers: [allServices, allServices] }),
  ],
]

describe.each(setUps.filter(([, isThere]) => isThere))('%s', (_name, _isThere, start) => {
  let system: System
  let check: AsyncApiCheck
  beforeAll(async () => {
    system = await start()
    check = await AsyncApiCheck.of(system)
    await system.api.registerToken('TOKEN-1')
  })
  afterAll(() => system?.stop())

  const topic = (name: string) => `${system.topicPrefix}.${name}`

  async function charge(protocol: 'ocpp1.6' | 'ocpp2.0.1'): Promise<void> {
    const id = `BUSY-${protocol}`
    await system.api.registerStation(id, password)
    const station = new VirtualStation({ id, protocol, urls: system.urls, password })
    await station.start()
    await station.charge({ token: 'TOKEN-1', readings: 3, intervalMs: 50 })
    await system.api.command(id, 'ClearCache', {})
    await system.api.command(id, 'Reset', { type: protocol === 'ocpp1.6' ? 'Soft' : 'Immediate' })
    await system.api.command(id, 'TriggerMessage', { requestedMessage: 'Heartbeat' })
    await station.stop()
    await system.api.command(id, 'ClearCache', {})
  }

  /** A station that answers everything, and says what it should not. */
  async function misbehave(): Promise<void> {
    const id = 'BUSY-ODD'
    await system.api.registerStation(id, password)
    const station = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
    for (const action of [
      'ReserveNow',
      'CancelReservation',
      'SendLocalList',
      'SetChargingProfile',
      'ChangeConfiguration',
      'GetLog',
    ]) {
      station.on(action, () => ({ status: 'Accepted' }))
    }
    station.on('UpdateFirmware', () => ({}))
    await station.call('BootNotification', { chargePointVendor: 'Test', chargePointModel: 'Socket', iccid: '1' })
    await station.call('StatusNotification', {
      connectorId: 1,
      errorCode: 'GroundFailure',
      status: 'Faulted',
      info: 'wet',
    })
    await station.call('DataTransfer', { vendorId: 'Test', data: 'x' })
    await station.call('SecurityEventNotification', {
      type: 'TamperDetectionActivated',
      timestamp: new Date().toISOString(),
    })
    await station.call('StopTransaction', { transactionId: 4711, meterStop: 1, timestamp: new Date().toISOString() })
    await station.call('StartTransaction', { connectorId: 'one' })
    await station.call('SignCertificate', { csr: 'none' })
    station.send('no frame')
    station.send('[3,"nobody-asked",{}]')
    const ask = (what: string, body: object) => system.api.expect('POST', `/stations/${id}/${what}?wait=10`, body)
    await ask('reservations', { connector: 1, token: 'TOKEN-1', minutes: 15 })
    await ask('local-list/send', { mode: 'full' })
    await ask('log', { type: 'security', location: 'ftp://files.example/x' })
    await ask('firmware/update', { location: 'https://files.example/x' })
    await station.call('FirmwareStatusNotification', { status: 'Installed' })
    await system.api.command(id, 'ChangeConfiguration', { key: 'SecurityProfile', value: '2' })
    await system.api.command(id, 'ClearCache', {})
    station.close()
    await station.closed
  }

  /** A transaction that never stops is closed; then its Stop comes after all, and an operator knows better. */
  async function correct(): Promise<void> {
    const id = 'BUSY-CORRECTED'
    await system.api.registerStation(id, password)
    const station = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: ['ocpp1.6'] })
    await station.call('BootNotification', { chargePointVendor: 'Test', chargePointModel: 'Socket' })
    const at = (minutes: number) => new Date(Date.now() - 3_600_000 + minutes * 60_000).toISOString()
    const started = await station.call('StartTransaction', {
      ...{ connectorId: 1, idTag: 'TOKEN-1', meterStart: 1_000, timestamp: at(0) },
    })
    if (started.kind !== 'result') throw new Error(started.code)
    const { transactionId } = started.payload
    const { items } = await system.api.get<{ items: { id: string }[] }>(`/transactions?station=${id}`)
    const ask = (what: string, body: object) =>
      system.api.expect('POST', `/transactions/${items[0]?.id}/${what}?wait=30`, body)
    await ask('close', { reason: 'Taken down' })
    await station.call('StopTransaction', { transactionId, meterStop: 6_000, timestamp: at(50) })
    await ask('correct', { reason: 'Read off the meter', energyWh: 4_200 })
    station.close()
    await station.closed
  }

  test('every record of a busy run is as the AsyncAPI document says', async () => {
    await Promise.all([charge('ocpp1.6'), charge('ocpp2.0.1'), misbehave(), correct()])
    const { faults, events } = await check.findFaultsIn(system)

    expect(faults).toEqual([])
    const causes = (await readTopic(system, topic('events'))).flatMap(({ value }) => {
      const { type, data } = JSON.parse(value.toString()) as { type: string; data: { correction?: { kind: string } } }
      return data.correction ? [`${type} ${data.correction.kind}`] : []
    })
    expect(causes.sort()).toEqual([
      'busbar.transaction.corrected.v1 correct',
      'busbar.transaction.corrected.v1 evidence',
      'busbar.transaction.ended.v1 close',
    ])
    expect(events).toEqual(
      expect.arrayContaining([
        'certificate.request-refused',
        'command.completed',
        'firmware.installed',
        'local-list.changed',
        'reservation.active',
        'security.alarm',
        'security.event',
        'security.profile-change',
        'station.booted',
        'station.connected',
        'station.data-transfer',
        'station.disconnected',
        'station.status-changed',
        'transaction.corrected',
        'transaction.ended',
        'transaction.started',
        'transfer.updated',
      ]),
    )
  }, 240_000)

  test('a record that says more, less or something else is found', async () => {
    const [good] = await readTopic(system, topic('command-results'))
    if (!good) throw new Error('no result')
    const { at, ...less } = JSON.parse(good.value.toString()) as Record<string, unknown>
    const faults = (value: unknown, headers = {}) =>
      check.findFaults(topic('command-results'), {
        ...good,
        headers,
        value: Buffer.from(JSON.stringify(value)),
      } satisfies TopicRecord)

    expect(faults({ ...less, at })).toEqual([])
    expect(faults(less)).not.toEqual([])
    expect(faults({ ...less, at, password })).not.toEqual([])
    expect(faults({ ...less, at: 'today' })).not.toEqual([])
    expect(faults({ ...less, at }, { station: 'X' })).not.toEqual([])
    expect(check.findFaults('unknown', good)).not.toEqual([])
  })
})
