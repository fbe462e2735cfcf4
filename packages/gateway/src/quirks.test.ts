import { once } from 'node:events'
import { connect } from 'node:net'
import { findPreset } from '@busbar/ocpp'
import { describe, expect, test } from 'vitest'
import {
  commandMessage,
  decideWith,
  startTestGateway,
  stationRecord,
  type TestGateway,
  type TestStation,
  testVault,
  until,
} from './testing.js'

/** What real stations do, at a real socket. The table in packages/ocpp/QUIRKS.md leads here. */

let gateway: TestGateway

async function start(overrides: Parameters<typeof stationRecord>[0] = {}, config = {}): Promise<TestGateway> {
  gateway = await startTestGateway(config)
  gateway.database.stations[0] = stationRecord(overrides)
  decideWith(gateway, (action) =>
    action === 'BootNotification'
      ? { result: { status: 'Accepted', currentTime: '2026-03-01T10:00:00.000Z', interval: 300 } }
      : { result: {} },
  )
  return gateway
}

const switchesOf = (preset: string) => ({ ...findPreset(preset)?.switches })
/** Counts are gathered for a moment. */
const counted = (kind: string) => until(async () => (await gateway.metric('busbar_quirks_total', { kind })) === 1)
const boot = { chargePointVendor: 'V', chargePointModel: 'M' }

async function lives(station: TestStation): Promise<void> {
  station.call('alive', 'Heartbeat', {})
  expect((await station.answer('alive'))[0]).toBe(3)
}

async function command(overrides: object, id = 'CP1') {
  await until(() => gateway.redis.owners.has(id))
  await gateway.redis.ownership.dispatch(id, commandMessage(overrides))
}

const outcomes = () =>
  gateway.log.records
    .filter(({ headers }) => headers.type === 'outcome')
    .map(({ value }) => JSON.parse(value.toString()) as { commandId: string; outcome: string })

describe('3a handshake and transport', () => {
  test('no Sec-WebSocket-Protocol (Grizzl-E): the version of the preset is assumed', async () => {
    await start({ switches: switchesOf('grizzl-e') })
    const station = await gateway.connect({ protocols: [] })

    await lives(station)
    await counted('subprotocol-missing')
  })

  test('a list of versions in one header: the one we speak is chosen', async () => {
    await start()
    const station = await gateway.connect({ protocols: ['ocpp1.6', 'ocpp1.5'] })

    expect(station.socket.protocol).toBe('ocpp1.6')
  })

  test('one version first, then another (FoxESS): the version belongs to the connection', async () => {
    await start()
    const first = await gateway.connect({ protocols: ['ocpp2.0.1'] })
    first.socket.close()
    await first.closed
    const second = await gateway.connect({ protocols: ['ocpp1.6'] })

    second.call('1', 'StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Available' })
    expect((await second.answer('1'))[0]).toBe(3)
  })

  test('no "Connection: Upgrade" (Autel), or a head that is none: refused with a status, told to the operator', async () => {
    await start()
    const { port } = gateway.gateway
    for (const [head, status] of [
      ['GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n', 'HTTP/1.1 426'],
      ['GET /ocpp/CP1 HTTP/1.1\r\nUpgrade websocket\r\n\r\n', 'HTTP/1.1 400'],
    ] as const) {
      const socket = connect(port, '127.0.0.1')
      socket.write(head)
      const [answer] = await once(socket, 'data')
      expect(String(answer)).toContain(status)
      socket.destroy()
    }
    expect(gateway.gateway.refused()).toMatchObject([{ stationId: 'CP1', reason: 'connection-header', count: 1 }])
    await lives(await gateway.connect())
  })

  test('an id in another letter case, behind double slashes and other segments', async () => {
    await start()
    await lives(await gateway.connect({ path: '//webservices/cp1', username: 'cp1' }))

    await counted('id-case')
  })

  test('"Connection: keep-alive, Upgrade" is one', async () => {
    await start()
    await lives(await gateway.connect({ headers: { Connection: 'keep-alive, Upgrade' } }))
  })

  test('an id without the slash before it (libocpp): told to the operator as the station spells it', async () => {
    await start()
    await expect(gateway.connect({ path: '/ocppCP1' })).rejects.toMatchObject({ status: 404 })

    expect(gateway.gateway.refused()).toMatchObject([{ stationId: 'ocppCP1', reason: 'unknown' }])
  })

  test('pings of its own are life too, where none of ours is answered', async () => {
    await start({}, { silentAfterSeconds: 0.3, pingIntervalSeconds: 60 })
    gateway.database.stations.push(stationRecord({ id: 'CP2' }))
    const pinging = await gateway.connect()
    const pings = setInterval(() => pinging.socket.ping(), 50)
    const silent = await gateway.connect({ id: 'CP2' })

    await silent.closed
    clearInterval(pings)
    await lives(pinging)
  })

  test('redials late (FoxESS, Teison): its commands fail at once meanwhile, then it is as it was', async () => {
    await start({ registration: 'Accepted' })
    const first = await gateway.connect()
    first.socket.terminate()
    await until(() => !gateway.redis.owners.has('CP1'))
    expect(await gateway.redis.ownership.dispatch('CP1', commandMessage({}))).toMatchObject({
      receivers: 0,
      epoch: null,
    })

    const second = await gateway.connect()
    second.call('1', 'StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Available' })
    expect(await second.errorCode('1')).toBeNull()
    expect(second.frames.filter(([type]) => type === 2)).toEqual([])
  })

  test('reconnects in a loop (Starcharge): the Reset that ends it gets through', async () => {
    await start()
    for (let round = 0; round < 10; round++) (await gateway.connect()).socket.close()
    const station = await gateway.connect()
    await until(() => gateway.redis.owners.size === 1 && gateway.redis.listeners('CP1') === 1)
    await command({ action: 'Reset', payload: { type: 'Hard' } })

    expect(await station.first((frame) => frame[2] === 'Reset')).toMatchObject([2, expect.anything(), 'Reset', {}])
  })

  test('no pong (EVduty, EN+): stays connected by its switch, others are cut', async () => {
    await start({ switches: switchesOf('evduty') }, { silentAfterSeconds: 0.1, pingIntervalSeconds: 0.05 })
    gateway.database.stations.push(stationRecord({ id: 'CP2' }))
    const spared = await gateway.connect({ autoPong: false })
    const other = await gateway.connect({ id: 'CP2', autoPong: false })

    await other.closed
    await lives(spared)
  })

  test('a second socket while the first is half open: the newer one is the station', async () => {
    await start()
    const first = await gateway.connect()
    const second = await gateway.connect()

    expect((await first.closed).code).toBe(4409)
    await lives(second)
  })

  test('an empty password (Wallbox) opens where that is its password, and is counted', async () => {
    await start({ secrets: [{ slot: 'current', hash: await testVault.hashForeignPassword('') }] })
    await lives(await gateway.connect({ password: '' }))

    await counted('password-short')
  })

  test('many stations behind one address get in', async () => {
    await start()
    const ids = Array.from({ length: 60 }, (_, index) => `NAT-${index}`)
    gateway.database.stations.push(...ids.map((id) => stationRecord({ id })))

    const stations = await Promise.all(ids.map((id) => gateway.connect({ id })))
    expect(stations).toHaveLength(60)
  })
})

describe('3b boot and configuration', () => {
  test('no BootNotification after a reconnect (Webasto, Ocular): a station that was accepted is answered', async () => {
    await start({ registration: 'Accepted' })
    const station = await gateway.connect()
    station.call('1', 'StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Available' })

    expect(await station.errorCode('1')).toBeNull()
  })

  test('calls before the boot was answered make it loop (Wallbox): they wait for that', async () => {
    await start({ registration: null, switches: switchesOf('wallbox') })
    const station = await gateway.connect()
    await command({ action: 'GetConfiguration', payload: {} })
    station.call('early', 'Heartbeat', {})
    await station.answer('early')
    expect(station.frames.filter(([type]) => type === 2)).toEqual([])

    station.call('boot', 'BootNotification', boot)
    await station.first((frame) => frame[2] === 'GetConfiguration')
    const order = station.frames.map((frame) => (frame[0] === 2 ? frame[2] : frame[1]))
    expect(order.indexOf('boot')).toBeLessThan(order.indexOf('GetConfiguration'))
  })

  test('calls in a row drop its socket (Wallbox Copper SB): each waits for its rest', async () => {
    await start({ switches: { callPauseMs: 150 } })
    const station = await gateway.connect()
    await command({ commandId: 'c-1' })
    await command({ commandId: 'c-2' })
    const [, firstId] = await station.first((frame) => frame[0] === 2)
    const answeredAt = performance.now()
    station.send([3, firstId, { status: 'Accepted' }])

    await station.first((frame) => frame[0] === 2 && frame[1] !== firstId)
    expect(performance.now() - answeredAt).toBeGreaterThanOrEqual(140)
  })

  test.each([
    ['an empty vendor (Huawei)', { ...boot, chargePointVendor: '' }, null],
    [
      'a serial number of 30 characters (Schneider)',
      { ...boot, chargePointSerialNumber: 's'.repeat(30) },
      'text-too-long',
    ],
    ['a model of 30 characters (Grizzl-E)', { ...boot, chargePointModel: 'm'.repeat(30) }, 'text-too-long'],
    ['empty texts (Wallbox)', { ...boot, iccid: '', imsi: '', meterSerialNumber: '' }, null],
  ])('%s: boots', async (_, payload, kind) => {
    await start({ registration: null })
    const station = await gateway.connect()
    station.call('1', 'BootNotification', payload)

    expect(await station.answer('1')).toMatchObject([3, '1', { status: 'Accepted' }])
    if (kind) await counted(kind)
  })

  test('the same message id after each reboot (Metron): every one is a call of its own', async () => {
    await start()
    for (let round = 0; round < 3; round++) {
      const station = await gateway.connect()
      station.call('1000001', 'BootNotification', boot)
      expect((await station.answer('1000001'))[0]).toBe(3)
      station.socket.close()
      await station.closed
    }
    const booted = gateway.log.records.filter(
      ({ headers }) => headers.action === 'BootNotification' && headers.type === 'call',
    )
    expect(booted).toHaveLength(3)
  })

  test('TriggerMessage answered NotImplemented (Fronius): that command failed, the next one goes out', async () => {
    await start()
    const station = await gateway.connect()
    await command({ commandId: 'c-1', action: 'TriggerMessage', payload: { requestedMessage: 'Heartbeat' } })
    await command({ commandId: 'c-2' })
    const [, messageId] = await station.first((frame) => frame[2] === 'TriggerMessage')
    // With four elements only (Grizzl-E).
    station.send([4, messageId, 'NotImplemented', ''])

    await station.first((frame) => frame[2] === 'ClearCache')
    await until(() => outcomes().some(({ commandId, outcome }) => commandId === 'c-1' && outcome === 'error'))
  })

  test('SecurityEventNotification before the boot is accepted: taken and counted, a Heartbeat is not', async () => {
    await start({ registration: null })
    const station = await gateway.connect()
    station.call('1', 'SecurityEventNotification', { type: 'StartupOfTheDevice', timestamp: '2026-03-01T10:00:00Z' })
    station.call('2', 'Heartbeat', {})

    expect(await station.errorCode('1')).toBeNull()
    expect(await station.errorCode('2')).toBe('SecurityError')
    await counted('event-before-boot')
  })
})

describe('3c timestamps', () => {
  test.each([
    ['without zone (Growatt)', '2026-03-01T10:00:00'],
    ['with milliseconds and without zone (AEFA)', '2026-03-01T10:00:00.123'],
    ['with hours only as zone', '2026-03-01T10:00:00+02'],
    ['of 1970', '1970-01-01T00:00:10Z'],
    ['"0" (Heidelberg)', '0'],
    ['that are missing', undefined],
  ])('%s are no reason to refuse a status', async (_, timestamp) => {
    await start()
    const station = await gateway.connect()
    station.call('1', 'StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Available', timestamp })

    expect(await station.errorCode('1')).toBeNull()
  })

  test('a StartTransaction without a time is taken and counted', async () => {
    await start()
    const station = await gateway.connect()
    station.call('1', 'StartTransaction', { connectorId: 1, idTag: 'A', meterStart: 0 })

    expect(await station.errorCode('1')).toBeNull()
    await counted('timestamp-missing')
  })
})

describe('3d malformed payloads', () => {
  test.each([
    ['a value that is missing (AEFA)', '[2,"1","MeterValues",{"connectorId":1,"transactionId":,"meterValue":[]}]'],
    ['a leading comma (ZJ Beny)', ',[2,"1","Heartbeat",{}]'],
    ['an array that never ends (Grizzl-E)', '[3,"1",{"configurationKey":[{"key":"A","readonly":false}'],
    ['an answer of five elements to nothing', '[4,"nobody","GenericError","",{}]'],
  ])('%s: the socket survives', async (_, frame) => {
    await start()
    const station = await gateway.connect()
    station.send(frame)

    await lives(station)
  })

  test('a payload of null is an empty one', async () => {
    await start()
    const station = await gateway.connect()
    station.send('[2,"1","Heartbeat",null]')

    expect((await station.answer('1'))[0]).toBe(3)
  })

  test('an answer of ours that cannot be read is never answered with a CALLERROR', async () => {
    await start()
    const station = await gateway.connect()
    await command({})
    const [, messageId] = await station.first((frame) => frame[0] === 2)
    station.send([3, messageId, { status: 'Perhaps' }])
    await lives(station)

    expect(station.frames.filter((frame) => frame[0] === 4)).toEqual([])
  })

  test('an error code of its own (Legrand): taken with its preset, refused without', async () => {
    await start({ switches: switchesOf('legrand') })
    gateway.database.stations.push(stationRecord({ id: 'CP2' }))
    const status = { connectorId: 1, errorCode: 'Error', status: 'Faulted', info: 'null' }
    const legrand = await gateway.connect()
    legrand.call('1', 'StatusNotification', status)
    const other = await gateway.connect({ id: 'CP2' })
    other.call('1', 'StatusNotification', status)

    expect(await legrand.errorCode('1')).toBeNull()
    await counted('schema-PropertyConstraintViolation')
    expect(await other.errorCode('1')).toBe('PropertyConstraintViolation')
  })

  test('Finishing with an error code (ABB) is taken', async () => {
    await start()
    const station = await gateway.connect()
    station.call('1', 'StatusNotification', { connectorId: 1, errorCode: 'OtherError', status: 'Finishing' })

    expect(await station.errorCode('1')).toBeNull()
  })
})

describe('3e identifiers', () => {
  test.each(['9223372036854775807', '-1', '0'])('transactionId %s is taken and logged as it came', async (id) => {
    await start()
    const station = await gateway.connect()
    const frame = `[2,"1","StopTransaction",{"transactionId":${id},"meterStop":10,"timestamp":"2026-03-01T10:00:00Z"}]`
    station.send(frame)

    expect(await station.errorCode('1')).toBeNull()
    expect(gateway.log.records.map(({ value }) => value.toString())).toContain(frame)
  })

  test('an idTag over 20 characters (Sigen, Ocular): energy is never refused, Authorize with the preset', async () => {
    await start({ switches: switchesOf('sigenergy') })
    gateway.database.stations.push(stationRecord({ id: 'CP2' }))
    const idTag = 'x'.repeat(24)
    const other = await gateway.connect({ id: 'CP2' })
    other.call('1', 'StartTransaction', { connectorId: 1, idTag, meterStart: 0, timestamp: '2026-03-01T10:00:00Z' })
    other.call('2', 'Authorize', { idTag })
    const sigen = await gateway.connect()
    sigen.call('1', 'Authorize', { idTag })

    expect(await other.errorCode('1')).toBeNull()
    expect(await other.errorCode('2')).toBe('PropertyConstraintViolation')
    expect(await sigen.errorCode('1')).toBeNull()
  })
})
